//! A wire that can be cut: a TCP proxy between Hermez and something it needs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// A proxy on loopback to one address; dropping it cuts everything for good.
pub struct Wire {
    port: u16,
    cut: Arc<AtomicBool>,
    changed: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Wire {
    /// Listens on a free port and carries connections to `target` (`host:port`).
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn to(target: String) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let cut = Arc::new(AtomicBool::new(false));
        let changed = Arc::new(Notify::new());
        let task = tokio::spawn({
            let (cut, changed) = (cut.clone(), changed.clone());
            async move {
                while let Ok((incoming, _)) = listener.accept().await {
                    if cut.load(Ordering::SeqCst) {
                        continue;
                    }
                    tokio::spawn(carry(incoming, target.clone(), changed.clone()));
                }
            }
        });
        Ok(Self {
            port,
            cut,
            changed,
            task,
        })
    }

    /// The port to connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends every connection and refuses new ones.
    pub fn cut(&self) {
        self.cut.store(true, Ordering::SeqCst);
        self.changed.notify_waiters();
    }

    /// Carries connections again.
    pub fn mend(&self) {
        self.cut.store(false, Ordering::SeqCst);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.cut();
        self.task.abort();
    }
}

async fn carry(mut incoming: TcpStream, target: String, cut: Arc<Notify>) {
    let cut = cut.notified();
    let Ok(mut outgoing) = TcpStream::connect(target).await else {
        return;
    };
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut incoming, &mut outgoing) => {}
        () = cut => {}
    }
}
