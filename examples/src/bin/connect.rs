//! Connects to a WebSocket server: lines in, messages out. Or walks the cases of an Autobahn fuzzing
//! server.

use std::{process::ExitCode, time::Duration};

use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin, stdin};
use wharf::{
    Compression, Error, Message, Result,
    client::{Client, Tls, link::Event},
    prelude::*,
};

const USAGE: &str = "usage: connect URL [--header 'NAME: VALUE']... [--subprotocol NAME]... [--insecure] [--reconnect]
       connect --autobahn ws://HOST:PORT

  --insecure    takes every certificate: whoever sits on the way can read and change everything
  --reconnect   comes back when the connection is lost
  --autobahn    echoes the cases of a fuzzing server and lets it write its reports";

/// The name in Autobahn's reports.
const AGENT: &str = "wharf-client";

#[derive(Default)]
struct Options {
    url: String,
    headers: Vec<(String, String)>,
    subprotocols: Vec<String>,
    insecure: bool,
    reconnect: bool,
    autobahn: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let Some(options) = parse(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let done = match options {
        Options { autobahn: true, .. } => walk(&options.url).await,
        Options {
            reconnect: true, ..
        } => stay(options).await,
        _ => talk(options).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            let causes = error.cause_chain();
            if !causes.is_empty() {
                eprintln!("because: {causes}");
            }
            ExitCode::FAILURE
        }
    }
}

fn parse(mut words: impl Iterator<Item = String>) -> Option<Options> {
    let mut options = Options::default();
    while let Some(word) = words.next() {
        match &*word {
            "--header" => {
                let line = words.next()?;
                let (name, value) = line.split_once(':')?;
                let header = (name.trim().to_owned(), value.trim().to_owned());
                options.headers.push(header);
            }
            "--subprotocol" => options.subprotocols.push(words.next()?),
            "--insecure" => options.insecure = true,
            "--reconnect" => options.reconnect = true,
            "--autobahn" => options.autobahn = true,
            option if option.starts_with('-') => return None,
            _ if options.url.is_empty() => options.url = word,
            _ => return None,
        }
    }
    (!options.url.is_empty()).then_some(options)
}

fn client(options: &Options) -> Result<Client> {
    let mut builder = Client::builder()
        .offer(&options.subprotocols)
        .compression(Compression::new())
        .max_message_bytes(16 * 1024 * 1024)
        .proxy_from_environment();
    for (name, value) in &options.headers {
        builder = builder.header(name, value);
    }
    if options.insecure {
        builder = builder.tls(Tls::new().dangerously_accept_any_certificate());
    }
    builder.build()
}

async fn talk(options: Options) -> Result<()> {
    let mut socket = client(&options)?.connect(options.url).await?;
    let mut lines = lines();
    loop {
        tokio::select! {
            message = socket.read() => match message? {
                Some(message) => show(&message),
                None => break,
            },
            line = lines.next_line() => match line? {
                Some(line) => socket.write(line).await?,
                None => {
                    socket.close(1000, "").await?;
                    // What came before the end.
                    while let Some(message) = socket.read().await? {
                        show(&message);
                    }
                    break;
                }
            },
        }
    }
    socket.closed().await;
    if let Some(outcome) = socket.outcome() {
        eprintln!("closed with {} {}", outcome.code, outcome.reason);
    }
    Ok(())
}

async fn stay(options: Options) -> Result<()> {
    let client = client(&options)?;
    let mut link = client.reconnecting_to(options.url).open();
    let sender = link.sender();
    let mut lines = lines();
    let mut is_open = true;
    loop {
        tokio::select! {
            event = link.next() => match event {
                Some(Event::Connected { .. }) => eprintln!("connected"),
                Some(Event::Message(message)) => show(&message),
                Some(Event::Gap) => eprintln!("something may have been missed"),
                Some(Event::Disconnected(ending)) => match ending.retry_in {
                    Some(wait) => eprintln!("{ending}; again in {wait:.1?}"),
                    None => eprintln!("{ending}"),
                },
                Some(_) => {}
                None => return Ok(()),
            },
            line = lines.next_line(), if is_open => match line? {
                Some(line) => sender.send(line).await?,
                None => is_open = false,
            },
        }
    }
}

fn lines() -> Lines<BufReader<Stdin>> {
    BufReader::new(stdin()).lines()
}

fn show(message: &Message) {
    match message {
        Message::Text(text) => println!("{text}"),
        other => println!("<{} bytes, {}>", other.payload_bytes(), other.kind()),
    }
}

/// Echoes every case of a fuzzing server.
async fn walk(server: &str) -> Result<()> {
    let server = server.trim_end_matches('/');
    let client = Client::builder()
        // What the suite sends: 16 MiB, and 4 MiB in fragments of 64 bytes.
        .max_message_bytes(64 * 1024 * 1024)
        .max_fragments(100_000)
        .compression(Compression::new().takeover(true))
        .heartbeat(Duration::from_secs(60), Duration::from_secs(60))
        .build()?;
    let mut counting = client.connect(format!("{server}/getCaseCount")).await?;
    let count: u32 = match counting.read_text().await? {
        Some(count) => count.parse().map_err(Error::handler)?,
        None => {
            return Err(Error::handler(
                "the server does not say how many cases it has",
            ));
        }
    };
    drop(counting);
    for case in 1..=count {
        let url = format!("{server}/runCase?case={case}&agent={AGENT}");
        client.run(url, echo).await?;
    }
    let url = format!("{server}/updateReports?agent={AGENT}");
    let mut reporting = client.connect(url).await?;
    while reporting.read().await?.is_some() {}
    println!("{count} cases");
    Ok(())
}

async fn echo(mut socket: Socket) -> Result<()> {
    while let Some(message) = socket.read().await? {
        socket.write(message).await?;
    }
    Ok(())
}
