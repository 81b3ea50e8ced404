//! One connection to a server, or to a cluster.

use std::{collections::BTreeMap, fs, sync::Arc};

use futures::future::join_all;
use redis::{
    Arg, AsyncConnectionConfig, Client, Cmd, ConnectionInfo, IntoConnectionInfo, Pipeline,
    ProtocolVersion, PushInfo, RedisResult, TlsCertificates, Value,
    aio::{ConnectionLike, MultiplexedConnection},
    cluster::ClusterClientBuilder,
    cluster_async::ClusterConnection,
};
use wharf_sdk::Result;

use crate::{Builder, error};

/// What a server is.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) is_cluster: bool,
}

/// Takes what the server pushes.
pub(crate) type OnPush = Arc<dyn Fn(PushInfo) + Send + Sync>;

#[derive(Clone)]
pub(crate) enum Connection {
    One(MultiplexedConnection),
    Cluster(ClusterConnection),
}

fn info(builder: &Builder) -> Result<ConnectionInfo> {
    // With several TLS providers in a program, it must have said which it wants.
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
    let info = (&*builder.url).into_connection_info().map_err(error::url)?;
    let settings = info.redis_settings().clone();
    Ok(info.set_redis_settings(settings.set_protocol(ProtocolVersion::RESP3)))
}

/// The certificates to trust, where they are not the system's.
fn certificates(builder: &Builder) -> Result<Option<TlsCertificates>> {
    let Some(path) = &builder.ca_file else {
        return Ok(None);
    };
    let root_cert = fs::read(path).map_err(error::certificates)?;
    Ok(Some(TlsCertificates {
        client_tls: None,
        root_cert: Some(root_cert),
    }))
}

/// Connects once, to see whether the server is there, new enough, and one of a cluster.
pub(crate) async fn look(builder: &Builder) -> Result<Server> {
    let mut connection = open(builder, false, None).await?;
    let mut ask = redis::cmd("INFO");
    ask.arg("server");
    let answer = connection.one(&ask).await.map_err(error::failed)?;
    let text: String = redis::from_redis_value(answer).unwrap_or_default();
    let field = |name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map(str::trim)
    };
    let is_cluster = field("redis_mode") == Some("cluster");
    if let Some(version) = field("redis_version") {
        let mut numbers = version.split('.').map(|part| part.parse().unwrap_or(0));
        let found: (u32, u32) = (
            numbers.next().unwrap_or_default(),
            numbers.next().unwrap_or_default(),
        );
        let (needed, name) = if is_cluster {
            ((7, 0), "7.0")
        } else {
            ((6, 2), "6.2")
        };
        if found < needed {
            return Err(error::too_old(version, name));
        }
    }
    Ok(Server { is_cluster })
}

pub(crate) async fn open(
    builder: &Builder,
    is_cluster: bool,
    on_push: Option<OnPush>,
) -> Result<Connection> {
    let (info, certificates) = (info(builder)?, certificates(builder)?);
    let take = move |push: PushInfo| {
        if let Some(on_push) = &on_push {
            on_push(push);
        }
        Ok::<_, redis::aio::SendError>(())
    };
    if is_cluster {
        let mut cluster = ClusterClientBuilder::new([info])
            .use_protocol(ProtocolVersion::RESP3)
            .connection_timeout(builder.timeout)
            .response_timeout(builder.timeout)
            .retries(1)
            .push_sender(take);
        if let Some(certificates) = certificates {
            cluster = cluster.certs(certificates);
        }
        let client = cluster.build().map_err(error::failed)?;
        let connection = client.get_async_connection().await;
        return connection.map(Connection::Cluster).map_err(error::failed);
    }
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(builder.timeout))
        .set_response_timeout(Some(builder.timeout))
        .set_push_sender(take);
    let client = match certificates {
        Some(certificates) => Client::build_with_tls(info, certificates).map_err(error::failed)?,
        None => Client::open(info).map_err(error::url)?,
    };
    let connection = client
        .get_multiplexed_async_connection_with_config(&config)
        .await;
    connection.map(Connection::One).map_err(error::failed)
}

/// Sends commands of one server in one packet.
async fn in_one(
    connection: &mut impl ConnectionLike,
    commands: Vec<Cmd>,
) -> RedisResult<Vec<Value>> {
    let count = commands.len();
    let mut pipeline = Pipeline::with_capacity(count);
    for command in commands {
        pipeline.add_command(command);
    }
    connection.req_packed_commands(&pipeline, 0, count).await
}

/// The hash tag of a command's keys; of keys and channels, the first stands before whatever else could
/// look like one.
fn tag(command: &Cmd) -> Vec<u8> {
    let mut arguments = command.args_iter().filter_map(|argument| match argument {
        Arg::Simple(bytes) if bytes.starts_with(b"{") => Some(bytes),
        _ => None,
    });
    let first = arguments.next().unwrap_or_default();
    let tag = first.split(|byte| *byte == b'}').next();
    tag.unwrap_or_default().to_vec()
}

impl Connection {
    pub(crate) async fn one(&mut self, command: &Cmd) -> RedisResult<Value> {
        let value = match self {
            Self::One(connection) => connection.req_packed_command(command).await,
            Self::Cluster(connection) => connection.req_packed_command(command).await,
        };
        value?.extract_error()
    }

    /// Carries commands out, in a cluster those of one partition, in their order, and answers each.
    pub(crate) async fn all(&mut self, commands: Vec<Cmd>) -> RedisResult<Vec<RedisResult<Value>>> {
        match self {
            Self::One(connection) => {
                let values = in_one(connection, commands).await?;
                Ok(values.into_iter().map(Value::extract_error).collect())
            }
            Self::Cluster(connection) => {
                let mut partitions: BTreeMap<Vec<u8>, (Vec<usize>, Vec<Cmd>)> = BTreeMap::new();
                for (at, command) in commands.into_iter().enumerate() {
                    let (places, together) = partitions.entry(tag(&command)).or_default();
                    places.push(at);
                    together.push(command);
                }
                let all = partitions.into_values().map(|(places, commands)| {
                    let mut connection = connection.clone();
                    async move {
                        let answers = match in_one(&mut connection, commands).await {
                            Ok(values) => values.into_iter().map(Value::extract_error).collect(),
                            Err(cause) => vec![Err(cause); places.len()],
                        };
                        places.into_iter().zip(answers).collect::<Vec<_>>()
                    }
                });
                let mut answers = join_all(all).await.concat();
                answers.sort_by_key(|(at, _)| *at);
                Ok(answers.into_iter().map(|(_, answer)| answer).collect())
            }
        }
    }

    pub(crate) async fn subscribe(&mut self, channels: &[String]) -> RedisResult<()> {
        match self {
            Self::One(connection) => connection.subscribe(channels).await,
            Self::Cluster(connection) => connection.ssubscribe(channels).await,
        }
    }

    pub(crate) async fn unsubscribe(&mut self, channels: &[String]) -> RedisResult<()> {
        match self {
            Self::One(connection) => connection.unsubscribe(channels).await,
            Self::Cluster(connection) => connection.sunsubscribe(channels).await,
        }
    }
}
