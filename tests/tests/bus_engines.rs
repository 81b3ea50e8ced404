//! What belongs to one engine: credentials, TLS, versions, and what others may do to its data.
#![cfg(all(feature = "hyper", feature = "redis", feature = "nats"))]

use std::{
    fmt::Write as _,
    fs,
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use nkeys::KeyPair;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    process::Command,
    sync::mpsc,
    time::timeout,
};
use wharf_conformance::bus::{Node, Server};
use wharf_hub::{
    Event, Hub, NodeId, RoomName,
    bus::{Bus, BusEvent, BusListener, Topic},
};
use wharf_nats::Nats;
use wharf_redis::Redis;
use wharf_sdk::Error;

const PATIENCE: Duration = Duration::from_secs(30);

/// A folder of a test's own.
fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// A certificate for this machine, its key, and where they are.
fn certificate(name: &str) -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let write = |file: &str, text: String| {
        let path = folder(name).join(file);
        fs::write(&path, text).expect("written");
        path.to_string_lossy().into_owned()
    };
    (
        write("cert.pem", made.cert.pem()),
        write("key.pem", made.signing_key.serialize_pem()),
    )
}

/// That a hub over a bus works: what is published is heard by another node's subscriber.
async fn carries(east: impl Bus, west: impl Bus) {
    let (east, west) = (Hub::over(east), Hub::over(west));
    let mut hearing = west
        .room("room")
        .expect("a name")
        .subscribe()
        .await
        .expect("the bus is there");
    let publish = east.room("room").expect("a name").publish("ahoy");
    publish.await.expect("the bus is there");
    let heard = futures::StreamExt::next(&mut hearing);
    timeout(PATIENCE, heard)
        .await
        .expect("heard")
        .expect("an event");
}

fn is_refused<T>(connected: Result<T, Error>, code: &str) {
    let error = connected.map(drop).expect_err("refused");
    assert_eq!(error.code(), code, "{error:?}");
    assert!(
        !format!("{error} {error:?}").contains("hunter2"),
        "{error:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_over_tls() {
    let (cert, key) = certificate("redis_over_tls");
    let arguments = [
        "--port",
        "0",
        "--tls-port",
        "{port}",
        "--tls-cert-file",
        &cert,
        "--tls-key-file",
        &key,
        "--tls-ca-cert-file",
        &cert,
        "--tls-auth-clients",
        "no",
        "--save",
        "",
    ];
    let server = Server::start("redis-server", "redis-server", &arguments).await;
    let url = format!("rediss://{}", server.address);
    let connect = || Redis::builder(&url).ca_file(&cert).connect();
    carries(
        connect().await.expect("it is trusted"),
        connect().await.expect("it is trusted"),
    )
    .await;
    is_refused(Redis::connect(&url).await, "WHARF_BUS_TLS");
    let (other, _) = certificate("redis_over_tls_other");
    is_refused(
        Redis::builder(&url).ca_file(other).connect().await,
        "WHARF_BUS_TLS",
    );
    let nowhere = Redis::builder(&url).ca_file("/no/such/file");
    is_refused(nowhere.connect().await, "WHARF_BUS_TLS");
}

#[tokio::test(flavor = "multi_thread")]
async fn nats_over_tls() {
    let (cert, key) = certificate("nats_over_tls");
    let arguments = [
        "-a",
        "127.0.0.1",
        "-p",
        "{port}",
        "--tls",
        "--tlscert",
        &cert,
        "--tlskey",
        &key,
    ];
    let server = Server::start("nats-server", "nats-server", &arguments).await;
    let url = format!("tls://{}", server.address);
    let connect = || Nats::builder(&url).ca_file(&cert).connect();
    carries(
        connect().await.expect("it is trusted"),
        connect().await.expect("it is trusted"),
    )
    .await;
    is_refused(Nats::connect(&url).await, "WHARF_BUS_TLS");
    let (other, _) = certificate("nats_over_tls_other");
    is_refused(
        Nats::builder(&url).ca_file(other).connect().await,
        "WHARF_BUS_TLS",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_takes_users_and_passwords() {
    let arguments = [
        "--port",
        "{port}",
        "--save",
        "",
        "--requirepass",
        "p@ss/word",
        "--user",
        "alice",
        "on",
        ">p@ss/word",
        "~*",
        "&*",
        "+@all",
    ];
    let server = Server::start("redis-server", "redis-server", &arguments).await;
    let at = |who: &str| format!("redis://{who}@{}", server.address);
    let connect = |who| {
        let url = at(who);
        async move { Redis::connect(&url).await }
    };
    carries(
        connect("alice:p%40ss%2Fword").await.expect("let in"),
        connect(":p%40ss%2Fword").await.expect("let in"),
    )
    .await;
    for wrong in ["alice:hunter2", ":hunter2", "nobody:hunter2"] {
        is_refused(connect(wrong).await, "WHARF_BUS_AUTH");
    }
    is_refused(
        Redis::connect(&format!("redis://{}", server.address)).await,
        "WHARF_BUS_AUTH",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nats_takes_users_passwords_and_tokens() {
    let base = ["-a", "127.0.0.1", "-p", "{port}"];
    let by_user = [&base[..], &["--user", "alice", "--pass", "p@ss/word"]].concat();
    let by_token = [&base[..], &["--auth", "t0k:n"]].concat();
    for (arguments, right) in [(by_user, "alice:p%40ss%2Fword"), (by_token, "t0k%3An")] {
        let server = Server::start("nats-server", "nats-server", &arguments).await;
        let connect = |who: &str| {
            let url = format!("nats://{who}@{}", server.address);
            async move { Nats::connect(&url).await }
        };
        carries(
            connect(right).await.expect("let in"),
            connect(right).await.expect("let in"),
        )
        .await;
        for wrong in ["alice:hunter2", "hunter2"] {
            is_refused(connect(wrong).await, "WHARF_BUS_AUTH");
        }
        let nobody = format!("nats://{}", server.address);
        is_refused(Nats::connect(&nobody).await, "WHARF_BUS_AUTH");
    }
}

/// A claim of NATS's, signed.
fn token(signer: &KeyPair, subject: &KeyPair, claims: &Value) -> String {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let body = json!({
        "jti": subject.public_key(),
        "iat": since_1970.expect("after 1970").as_secs(),
        "iss": signer.public_key(),
        "sub": subject.public_key(),
        "name": "test",
        "nats": claims,
    });
    let header = json!({ "typ": "JWT", "alg": "ed25519-nkey" });
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let mut token = format!("{}.{}", encode(&header), encode(&body));
    let signature = signer.sign(token.as_bytes()).expect("a private key");
    write!(token, ".{}", URL_SAFE_NO_PAD.encode(signature)).expect("text");
    token
}

#[tokio::test(flavor = "multi_thread")]
async fn nats_takes_files_of_credentials() {
    let (operator, account, user) = (
        KeyPair::new_operator(),
        KeyPair::new_account(),
        KeyPair::new_user(),
    );
    let limits = json!({
        "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true,
        "conn": -1, "leaf": -1,
    });
    let operator_token = token(
        &operator,
        &operator,
        &json!({ "type": "operator", "version": 2 }),
    );
    let account_claims = json!({ "type": "account", "version": 2, "limits": limits });
    let account_token = token(&operator, &account, &account_claims);
    let user_claims = json!({
        "type": "user", "version": 2, "pub": {}, "sub": {}, "subs": -1, "data": -1, "payload": -1,
    });
    let folder = folder("nats_takes_files_of_credentials");
    let config = folder.join("server.conf");
    let account_key = account.public_key();
    let text = format!(
        "operator: {operator_token}\nresolver: MEMORY\n\
         resolver_preload: {{ {account_key}: {account_token} }}\n"
    );
    fs::write(&config, text).expect("written");
    let credentials = |name: &str, signer: &KeyPair, user: &KeyPair| {
        let path = folder.join(name);
        let user_token = token(signer, user, &user_claims);
        let seed = user.seed().expect("a private key");
        let text = format!(
            "-----BEGIN NATS USER JWT-----\n{user_token}\n------END NATS USER JWT------\n\n\
             -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
        );
        fs::write(&path, text).expect("written");
        path
    };
    let right = credentials("right.creds", &account, &user);
    let wrong = credentials("wrong.creds", &KeyPair::new_account(), &user);
    let config = config.to_string_lossy().into_owned();
    let arguments = ["-a", "127.0.0.1", "-p", "{port}", "-c", &config];
    let server = Server::start("nats-server", "nats-server", &arguments).await;
    let url = format!("nats://{}", server.address);
    let connect = |path: &PathBuf| Nats::builder(&url).credentials_file(path).connect();
    carries(
        connect(&right).await.expect("let in"),
        connect(&right).await.expect("let in"),
    )
    .await;
    is_refused(connect(&wrong).await, "WHARF_BUS_AUTH");
    is_refused(connect(&folder.join("none.creds")).await, "WHARF_BUS_AUTH");
    is_refused(Nats::connect(&url).await, "WHARF_BUS_AUTH");
}

/// A server that answers each command of RESP by its first word.
async fn fake_redis(answer: impl Fn(&str) -> String + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        while let Ok((mut line, _)) = listener.accept().await {
            let answer = Arc::clone(&answer);
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                // Commands come whole from a client that waits for each answer.
                while let Ok(bytes @ 1..) = line.read(&mut buffer).await {
                    let text = String::from_utf8_lossy(&buffer[..bytes]).into_owned();
                    for command in text.split('*').skip(1) {
                        let word = command.split("\r\n").nth(2).unwrap_or_default();
                        let _ = line.write_all(answer(word).as_bytes()).await;
                    }
                }
            });
        }
    });
    address
}

#[tokio::test]
async fn engines_that_are_too_old_are_refused() {
    // What Redis 6.0 says, and what one says that does not know of RESP3.
    let six = fake_redis(|word| match word {
        "HELLO" => "%1\r\n+server\r\n+redis\r\n".to_owned(),
        "INFO" => {
            let text = "redis_version:6.0.16\r\nredis_mode:standalone\r\n";
            format!("${}\r\n{text}\r\n", text.len())
        }
        _ => "+OK\r\n".to_owned(),
    });
    let five = fake_redis(|word| match word {
        "HELLO" => "-ERR unknown command `HELLO`, with args beginning with: `3`\r\n".to_owned(),
        _ => "+OK\r\n".to_owned(),
    });
    for (address, needed) in [(six.await, "6.0.16; use 6.2"), (five.await, "use 6.2")] {
        let refused = Redis::connect(&format!("redis://{address}")).await;
        let error = refused.map(drop).expect_err("too old");
        assert_eq!(error.code(), "WHARF_BUS_TOO_OLD", "{error:?}");
        assert!(error.to_string().contains(needed), "{error}");
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut line, _)) = listener.accept().await {
            let info =
                br#"INFO {"server_id":"x","version":"2.1.9","max_payload":1048576,"proto":1}"#;
            let _ = line.write_all(&[&info[..], b"\r\n"].concat()).await;
            let mut buffer = [0; 4096];
            while let Ok(1..) = line.read(&mut buffer).await {
                let _ = line.write_all(b"PONG\r\n").await;
            }
        }
    });
    let refused = Nats::connect(&format!("nats://{address}")).await;
    let error = refused.map(drop).expect_err("too old");
    assert_eq!(error.code(), "WHARF_BUS_TOO_OLD", "{error:?}");
    assert!(error.to_string().contains("2.1.9; use 2.9"), "{error}");
}

/// A listener that hangs at the first frame, and says what was lost.
struct Hanging {
    hangs: Arc<AtomicBool>,
    lost: mpsc::UnboundedSender<()>,
}

impl BusListener for Hanging {
    fn hear(&self, event: BusEvent) {
        match event {
            // The runtime is told, or its other tasks would hang, too.
            BusEvent::Frame { .. } => tokio::task::block_in_place(|| {
                while self.hangs.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(10));
                }
            }),
            BusEvent::Lost(_) => drop(self.lost.send(())),
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nats_tells_a_slow_consumer() {
    let arguments = ["-a", "127.0.0.1", "-p", "{port}"];
    let server = Server::start("nats-server", "nats-server", &arguments).await;
    let bus = Nats::connect(&format!("nats://{}", server.address))
        .await
        .expect("it is there");
    let hangs = Arc::new(AtomicBool::new(true));
    let (lost, mut losses) = mpsc::unbounded_channel();
    let listener = Hanging {
        hangs: Arc::clone(&hangs),
        lost,
    };
    bus.attach(NodeId::random(), Arc::new(listener));
    let room = RoomName::new("room").expect("a name");
    let subject = wharf_nats::subject("wharf", &room);
    bus.subscribe(vec![Topic::Room(room)])
        .await
        .expect("it is there");
    let mut line = TcpStream::connect(server.address)
        .await
        .expect("it is there");
    let flood = format!("PUB {subject} 1\r\nx\r\n").repeat(1000);
    line.write_all(b"CONNECT {\"verbose\":false}\r\n")
        .await
        .expect("taken");
    for _ in 0..80 {
        line.write_all(flood.as_bytes()).await.expect("taken");
    }
    let told = timeout(PATIENCE, losses.recv()).await;
    hangs.store(false, Ordering::Relaxed);
    assert_eq!(told.expect("told in time"), Some(()));
}

/// Runs a command of Redis's, and returns what it printed.
async fn redis_cli(server: &Server, arguments: &[&str]) -> String {
    let mut command = Command::new("redis-cli");
    command
        .args(["-p", &server.address.port().to_string()])
        .args(arguments);
    let output = command.output().await.expect("redis-cli runs");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

async fn redis() -> (Server, Node) {
    let arguments = ["--port", "{port}", "--save", ""];
    let server = Server::start("redis-server", "redis-server", &arguments).await;
    let url = format!("redis://{}", server.address);
    let bus = Redis::connect(&url).await.expect("it is there");
    (server, Node::new(Hub::builder().bus(bus)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_that_others_wrote_to_begins_anew() {
    let (server, node) = redis().await;
    let mut alice = node.visit("h-room", "alice").await;
    let room = node.hub.room("h-room").expect("a name");
    let before = room
        .publish("1")
        .await
        .expect("stored")
        .position
        .expect("a position");
    for spoiling in [
        &["XADD", "wharf:1:s:h-room", "999999-0", "t", "1", "f", "x"][..],
        &["SET", "wharf:1:s:h-room", "x"],
        &["HSET", "wharf:1:h:h-room", "o", "many"],
        &["SET", "wharf:1:h:h-room", "x"],
    ] {
        redis_cli(&server, spoiling).await;
        let after = room
            .publish("2")
            .await
            .expect("stored")
            .position
            .expect("a position");
        assert_ne!(before.epoch, after.epoch, "{spoiling:?}");
        alice.until(|text| text.get("gap").is_some()).await;
        alice.until(|text| text["message"] == 2).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn presence_leaves_nothing_in_redis() {
    let (server, node) = redis().await;
    for _ in 0..2 {
        let mut visitors = Vec::new();
        for number in 0..20 {
            let room = format!("room-{}", number % 7);
            visitors.push(node.visit(&room, "alice").await);
        }
        assert_ne!(redis_cli(&server, &["DBSIZE"]).await, "1");
        drop(visitors);
        let empty = timeout(PATIENCE, async {
            // The node's own lease is left.
            while redis_cli(&server, &["DBSIZE"]).await != "1" {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        empty.await.expect("nothing is left");
    }
    node.hub.shutdown().await;
    assert_eq!(redis_cli(&server, &["DBSIZE"]).await, "0");
}

/// More than the client and the connection take: whoever carries it out must not wait for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nats_that_hangs_is_noticed_however_much_waits() {
    let arguments = ["-a", "127.0.0.1", "-p", "{port}"];
    let server = Server::start("nats-server", "nats-server", &arguments).await;
    let builder = Nats::builder(&format!("nats://{}", server.address));
    let bus = builder.connect().await.expect("it is there");
    let (heard, _) = mpsc::unbounded_channel();
    let listener = Patient {
        waits: Arc::default(),
        heard,
    };
    bus.attach(NodeId::random(), Arc::new(listener));
    let topic = Topic::Room(RoomName::new("room").expect("a name"));
    let up = timeout(PATIENCE, async {
        while !bus.stats().connected {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    up.await.expect("it is there");
    server.signal("-STOP").await;
    let frame = bytes::Bytes::from(vec![b'x'; 16 * 1024]);
    let waiting: Vec<_> = (0..6000)
        .map(|_| bus.publish(&topic, frame.clone()))
        .collect();
    let noticed = timeout(Duration::from_secs(15), async {
        while bus.stats().connected {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    let noticed = noticed.await;
    let refused = timeout(Duration::from_secs(1), bus.publish(&topic, "late".into())).await;
    server.signal("-CONT").await;
    noticed.expect("it hangs, and that is noticed");
    refused.expect("at once").expect_err("refused");
    drop(waiting);
    let back = timeout(PATIENCE, async {
        while bus.publish(&topic, "again".into()).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    back.await.expect("it is there again");
}

/// Rooms of one bucket, as many as asked for.
fn neighbours(count: usize) -> Vec<RoomName> {
    let bucket = |room: &RoomName| {
        wharf_nats::subject("wharf", room)
            .split('.')
            .nth(3)
            .map(str::to_owned)
    };
    let first = RoomName::new("room").expect("a name");
    let named = (0..).map(|number| RoomName::new(format!("room-{number}")).expect("a name"));
    let others = named
        .filter(|room| bucket(room) == bucket(&first))
        .take(count - 1);
    std::iter::once(first.clone()).chain(others).collect()
}

/// While rooms come that share a subscription, what is said in the first of them is heard by all, once
/// and in its order; and what is said in those with nobody here is passed over.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nats_rooms_that_share_a_subscription_miss_nothing() {
    const ROOMS: usize = 6;
    let arguments = ["-a", "127.0.0.1", "-p", "{port}"];
    let server = Server::start("nats-server", "nats-server", &arguments).await;
    let connect = |subscriptions| {
        let builder = Nats::builder(&format!("nats://{}", server.address));
        async move {
            let bus = builder.max_subscriptions(subscriptions).connect();
            Hub::over(bus.await.expect("it is there"))
        }
    };
    let rooms = neighbours(ROOMS + 1);
    let far = connect(0).await;
    for subscriptions in [0, 2 * 1024, 1 << 30] {
        let near = connect(subscriptions).await;
        let first = near.room(&*rooms[0]).expect("a name");
        let mut hearing = first.subscribe().await.expect("the bus is there");
        let is_over = Arc::new(AtomicBool::new(false));
        let (mouth, over) = (far.room(&*rooms[0]).expect("a name"), Arc::clone(&is_over));
        let talking = tokio::spawn(async move {
            let mut said = 0_u64;
            while !over.load(Ordering::Relaxed) {
                mouth
                    .publish(said.to_string())
                    .await
                    .expect("the bus is there");
                said += 1;
            }
            said
        });
        let counting = tokio::spawn(async move {
            let mut next = 0;
            while let Some(event) = futures::StreamExt::next(&mut hearing).await {
                match event {
                    Event::Message(delivery) => {
                        let text = delivery.message.as_text().expect("text").to_owned();
                        if text == "over" {
                            break;
                        }
                        assert_eq!(text, next.to_string(), "once each, in their order");
                        next += 1;
                    }
                    other => panic!("only messages are told here, and no gap: {other:?}"),
                }
            }
            next
        });
        let mut others = Vec::new();
        for room in &rooms[1..ROOMS] {
            let room = near.room(&**room).expect("a name");
            others.push(room.subscribe().await.expect("the bus is there"));
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        for (room, hearing) in rooms[1..ROOMS].iter().zip(&mut others) {
            let room = far.room(&**room).expect("a name");
            room.publish("ahoy").await.expect("the bus is there");
            let heard = timeout(PATIENCE, futures::StreamExt::next(hearing)).await;
            assert!(matches!(heard, Ok(Some(Event::Message(_)))), "{heard:?}");
        }
        // Nobody here is in the last one.
        let empty = far.room(&*rooms[ROOMS]).expect("a name");
        empty.publish("to nobody").await.expect("the bus is there");
        is_over.store(true, Ordering::Relaxed);
        let said = talking.await.expect("it talks");
        let last = far.room(&*rooms[0]).expect("a name").publish("over");
        last.await.expect("the bus is there");
        let counted = timeout(PATIENCE, counting).await.expect("in time");
        assert_eq!(counted.expect("all is heard"), said);
        assert!(said > 100, "it talked all the time: {said}");
        let stats = near.stats();
        assert_eq!((stats.foreign, stats.gaps), (0, 0), "{stats:?}");
        assert_eq!(stats.bus.subscriptions, ROOMS + 1, "and the app's");
        drop(others);
    }
}

/// Some go straight to the client, and some wait in line: no later one overtakes.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nats_keeps_the_order_of_what_waits() {
    const FRAMES: usize = 12_000;
    let arguments = ["-a", "127.0.0.1", "-p", "{port}"];
    let server = Server::start("nats-server", "nats-server", &arguments).await;
    let builder = Nats::builder(&format!("nats://{}", server.address));
    let bus = builder.connect().await.expect("it is there");
    let (heard, mut hearing) = mpsc::unbounded_channel();
    let listener = Patient {
        waits: Arc::default(),
        heard,
    };
    bus.attach(NodeId::random(), Arc::new(listener));
    let topic = Topic::Room(RoomName::new("room").expect("a name"));
    let subscribing = bus.subscribe(vec![topic.clone()]);
    subscribing.await.expect("the bus is there");
    let mut sending = Vec::with_capacity(FRAMES);
    for number in 0..FRAMES {
        sending.push(bus.publish(&topic, number.to_string().into()));
        if number % 5000 == 4999 {
            // The line empties, and is gone around again.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    for sent in sending {
        sent.await.expect("the bus is there");
    }
    for number in 0..FRAMES {
        let frame = timeout(PATIENCE, hearing.recv()).await.expect("in time");
        assert_eq!(frame, Some(number.to_string()));
    }
}

/// A listener that takes nothing until it may, and then keeps what comes.
struct Patient {
    waits: Arc<AtomicBool>,
    heard: mpsc::UnboundedSender<String>,
}

impl BusListener for Patient {
    fn hear(&self, event: BusEvent) {
        if let BusEvent::Frame { frame, .. } = event {
            // The runtime is told, or its other tasks would wait, too.
            tokio::task::block_in_place(|| {
                while self.waits.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(1));
                }
            });
            let _ = self
                .heard
                .send(String::from_utf8_lossy(&frame).into_owned());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nats_hands_a_room_over_behind_what_has_come_for_it() {
    const HALF: u32 = 200;
    let arguments = ["-a", "127.0.0.1", "-p", "{port}"];
    let server = Server::start("nats-server", "nats-server", &arguments).await;
    let builder = Nats::builder(&format!("nats://{}", server.address));
    let near = builder.clone().max_subscriptions(1024).connect();
    let near = near.await.expect("it is there");
    let waits = Arc::new(AtomicBool::new(true));
    let (heard, mut hearing) = mpsc::unbounded_channel();
    let listener = Patient {
        waits: Arc::clone(&waits),
        heard,
    };
    near.attach(NodeId::random(), Arc::new(listener));
    let far = builder.connect().await.expect("it is there");
    let (unheard, _) = mpsc::unbounded_channel();
    let deaf = Patient {
        waits: Arc::default(),
        heard: unheard,
    };
    far.attach(NodeId::random(), Arc::new(deaf));

    let [room, neighbour] = &neighbours(2)[..] else {
        panic!("two");
    };
    let topic = Topic::Room(room.clone());
    let subscribe = near.subscribe(vec![topic.clone()]);
    subscribe.await.expect("the bus is there");
    for number in 0..2 * HALF {
        if number == HALF {
            let subscribe = near.subscribe(vec![Topic::Room(neighbour.clone())]);
            subscribe.await.expect("the bus is there");
        }
        let publish = far.publish(&topic, number.to_string().into());
        publish.await.expect("the bus is there");
    }
    waits.store(false, Ordering::Relaxed);
    let mut next = 0;
    while next < 2 * HALF {
        let frame = timeout(PATIENCE, hearing.recv()).await.expect("in time");
        let number: u32 = frame.expect("a frame").parse().expect("a number");
        // What came on both subscriptions is a double, which the hub passes over.
        assert!(number <= next, "{number} is heard, and {next} is missing");
        next = next.max(number + 1);
    }
}
