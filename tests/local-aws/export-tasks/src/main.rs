//! The stand-in as a separate process, in front of a running local AWS: `export-tasks 127.0.0.1:4566`.
//!
//! It prints its address on stdout. It ends when its owner closes the pipe to its stdin.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

fn main() -> anyhow::Result<()> {
    let argument = std::env::args().nth(1).context("usage: export-tasks <address of the local AWS>, such as 127.0.0.1:4566")?;
    let upstream = argument.parse().with_context(|| format!("{argument:?} is not an address and port, such as 127.0.0.1:4566"))?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(serve(upstream))
}

async fn serve(upstream: SocketAddr) -> anyhow::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("cannot listen on loopback")?;
    println!("{}", listener.local_addr()?);
    let (sender, owner_ended) = oneshot::channel();
    std::thread::spawn(move || {
        // An error of reading also means that the owner has ended.
        let _bytes = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        let _sent = sender.send(());
    });
    tokio::select! {
        result = export_tasks::serve(listener, upstream, None) => result,
        _ = owner_ended => Ok(()),
    }
}
