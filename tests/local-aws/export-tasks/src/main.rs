//! The stand-in as a process of its own, in front of a local AWS that runs already: `export-tasks 127.0.0.1:4566`.
//!
//! It tells its address on stdout, and ends with its owner, whose pipe is stdin.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

fn main() -> anyhow::Result<()> {
    let argument = std::env::args().nth(1).context("usage: export-tasks <address of the local AWS>, such as 127.0.0.1:4566")?;
    let upstream = argument.parse().with_context(|| format!("{argument:?} is no address and port, such as 127.0.0.1:4566"))?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(serve(upstream))
}

async fn serve(upstream: SocketAddr) -> anyhow::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("cannot listen on loopback")?;
    println!("{}", listener.local_addr()?);
    let (owner, owner_gone) = oneshot::channel();
    std::thread::spawn(move || {
        // However reading ends, there is nobody left to read from.
        let _ended = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        let _ending = owner.send(());
    });
    tokio::select! {
        ended = export_tasks::serve(listener, upstream, None) => ended,
        _ = owner_gone => Ok(()),
    }
}
