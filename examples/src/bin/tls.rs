//! An echo over TLS and, for browsers, HTTP/2: `CERT=cert.pem KEY=key.pem tls`. A hangup (SIGHUP)
//! reads both files again and drops no socket.

use tokio::signal::unix::{SignalKind, signal};
use wharf::{
    App, BoxError, Result, Route,
    hyper::{Tls, server},
    prelude::*,
};

async fn echo(mut socket: Socket) -> Result<()> {
    while let Some(message) = socket.read().await? {
        socket.write(message).await?;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> std::result::Result<(), BoxError> {
    let of = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    let tls = Tls::from_pem_files(of("CERT", "cert.pem"), of("KEY", "key.pem"))?;
    let app = App::builder().route(Route::new("/echo", echo)).build()?;
    let server = server(app)
        .tcp(of("ADDR", "127.0.0.1:3443"))
        .tls(tls.clone())
        .http2()
        .bind()
        .await?;
    println!("listening on {}", server.local_addr());

    let mut hangup = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            match tls.reload() {
                Ok(()) => println!("reloaded"),
                Err(error) => println!("the old certificate stays: {error}"),
            }
        }
    });
    server.run().await?;
    Ok(())
}
