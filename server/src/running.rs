//! A server's life: it listens until a signal ends it, lets requests end, seals what is committed, and leaves in order.

use std::net::{SocketAddr, TcpListener};

use actix_web::web;
use tokio::signal::unix::{SignalKind, signal};

use crate::app::App;
use crate::http::{self, Api, Listening};
use crate::network::Network;
use crate::pages;

/// How long requests under way may take once the server stops, in seconds.
const DRAIN_S: u64 = 5;

/// Threads that answer HTTP; the engine has a runtime of its own beside them.
const WORKERS: usize = 2;

/// Why a server ended before it was told to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The address is taken or not this machine's.
    #[error("{address} can't be listened on; is another server running there?")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// The HTTP server failed.
    #[error("the HTTP server failed")]
    Http(#[source] std::io::Error),
    /// A part of the engine panicked.
    #[error(
        "a part of the server has ended by a fault, which its log tells; what is recorded is whole, start it again"
    )]
    Engine,
    /// Its tables could not be made.
    #[error("the HTTP server can't be set up: {0}")]
    Setup(String),
}

/// Takes the address, so that a taken one is told before anything else is started.
///
/// # Errors
/// [`RunError::Listen`].
pub fn listen(address: SocketAddr) -> Result<TcpListener, RunError> {
    TcpListener::bind(address).map_err(|source| RunError::Listen { address, source })
}

/// Serves until SIGINT or SIGTERM. Whoever asks through one of the trusted proxies is told apart by its word.
///
/// # Errors
/// [`RunError`], after everything was stopped in order.
pub async fn until_stopped(
    app: App,
    listener: TcpListener,
    tls: Option<rustls::ServerConfig>,
    public_url: &str,
    trusted_proxies: Vec<Network>,
) -> Result<(), RunError> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(RunError::Http)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(RunError::Http)?;
    let api = Api::new(app.clone(), public_url).map_err(|problem| RunError::Setup(problem.to_string()))?;
    let api = web::Data::new(api.behind(trusted_proxies));
    let listening = Listening { listener, tls, workers: WORKERS, drain_s: DRAIN_S };
    let server = http::serve(api.clone(), pages::PAGES, listening).map_err(RunError::Http)?;
    let handle = server.handle();
    let mut serving = tokio::spawn(server);
    let mut broken = false;
    let ended = tokio::select! {
        _ = interrupt.recv() => None,
        _ = terminate.recv() => None,
        () = app.failed() => {
            broken = true;
            None
        }
        ended = &mut serving => Some(ended),
    };
    tracing::info!("stopping: requests under way end, what is committed is sealed");
    api.begin_stopping();
    let result = match ended {
        None => {
            handle.stop(true).await;
            serving.await
        }
        Some(ended) => ended,
    };
    app.stop().await;
    if broken {
        return Err(RunError::Engine);
    }
    match result {
        Ok(served) => served.map_err(RunError::Http),
        Err(panicked) => Err(RunError::Http(std::io::Error::other(panicked))),
    }
}

/// Whether a call still hangs in a device's library: then the process must not run the library's exit handlers.
pub fn device_hangs(app: &App) -> bool {
    app.devices().all().any(|device| device.health().quarantined() > 0)
}
