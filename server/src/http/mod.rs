//! HTTP: routes by noun, over the engine and the views. Nothing here knows a rule; nothing else knows HTTP.
//!
//! A request passes [`answer`] (correlation, log, problems), an extractor of [`auth`] (who asks), [`body`] (what is asked),
//! a noun's handler, and the engine. Routes and OpenAPI document come from one list, [`openapi::routes`].

mod actions;
pub mod answer;
pub(crate) mod audit;
pub mod auth;
mod batches;
mod blast_radius;
pub mod body;
pub(crate) mod calendar;
mod candidates;
pub mod certificate;
mod certificates;
pub mod cookie;
mod custody;
mod disclosure;
mod drafts;
mod drills;
mod events;
mod evidence;
pub mod forms;
mod founding;
pub mod fresh;
pub(crate) mod health_report;
mod incident_steps;
mod incidents;
mod keys;
pub mod listeners;
mod lists;
mod members;
mod metrics;
pub(crate) mod moment;
pub mod openapi;
mod passkey_sessions;
mod platform;
pub mod problem;
mod proofs;
mod registering;
mod reports;
mod revocations;
mod rotations;
mod services;
pub mod session_table;
pub mod sessions;
pub mod shown;
mod signing;
mod slots;
mod statements;
mod suspensions;
mod tenants;
pub mod throttle;
pub mod token;
mod trust_root;
mod unread;
mod webhooks;

use std::net::TcpListener;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::http::KeepAlive;
use actix_web::middleware::{DefaultHeaders, NormalizePath, TrailingSlash, from_fn};
use actix_web::{App as HttpApp, HttpRequest, HttpResponse, HttpServer, web};
use rustix::net::sockopt::set_tcp_user_timeout;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::watch;

use crate::app::App;
use crate::network::Network;
use crate::passkeys::SignIns;
use listeners::Listeners;
use problem::{Problem, ProblemDocument};
use session_table::Sessions;
use throttle::Throttle;

/// Longest wait for a request's head.
const HEAD_DEADLINE: Duration = Duration::from_secs(10);

/// Connections that all workers hold open at most, where the system lets them: more wait to be accepted. Idle ones cost
/// some 17 KiB each.
const MAX_CONNECTIONS: usize = 16_384;

/// Files that are kept for everything else: the database's connections, high-water files, devices.
const OTHER_FILES: usize = 512;

/// Longest time that a caller may leave an answer unread; then the system ends the connection.
const UNREAD: Duration = Duration::from_secs(15);

/// What every handler works with; one for a server.
pub struct Api {
    pub(crate) app: App,
    pub(crate) sessions: Sessions,
    /// An origin as browsers write it: the configuration takes no other.
    pub(crate) public_url: String,
    pub(crate) sign_ins: SignIns,
    pub(crate) throttle: Throttle,
    pub(crate) listeners: Listeners,
    stopping: watch::Sender<bool>,
}

impl Api {
    /// Over an engine, under the URL that callers reach the server by (without a slash at its end).
    pub fn new(app: App, public_url: &str) -> Result<Self, Problem> {
        Ok(Self {
            app,
            sessions: Sessions::new()?,
            public_url: public_url.trim_end_matches('/').to_owned(),
            sign_ins: SignIns::default(),
            throttle: Throttle::default(),
            listeners: Listeners::default(),
            stopping: watch::Sender::new(false),
        })
    }

    /// The same behind proxies whose word on whom they ask for is believed.
    pub fn behind(self, proxies: Vec<Network>) -> Self {
        Self { throttle: Throttle::behind(proxies), ..self }
    }

    /// From now on `/readyz` says that the server is stopping, so that balancers look elsewhere before it does.
    pub fn begin_stopping(&self) {
        self.stopping.send_replace(true);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    /// Follows whether the server is stopping: answers without an end have to end then.
    pub(crate) fn watch_stopping(&self) -> watch::Receiver<bool> {
        self.stopping.subscribe()
    }
}

/// What browsers get beside the API. The room of pages stands over this one, so it is handed in.
#[derive(Clone, Copy)]
pub struct Pages {
    /// Registers their routes.
    pub routes: fn(&mut web::ServiceConfig),
    /// A problem as a page, where a page was asked for.
    pub problem: fn(&HttpRequest, &Problem, &ProblemDocument) -> Option<HttpResponse>,
}

/// How the server listens.
pub struct Listening {
    /// The socket.
    pub listener: TcpListener,
    /// TLS, unless a proxy or loopback makes it needless.
    pub tls: Option<rustls::ServerConfig>,
    /// Worker threads.
    pub workers: usize,
    /// How long requests under way may take once the server stops, in seconds.
    pub drain_s: u64,
}

/// Starts the server; it runs while it is awaited. Signals are the caller's: to stop, call
/// [`Api::begin_stopping`] and then `handle().stop(true)`, which lets requests under way end.
pub fn serve(api: web::Data<Api>, pages: Pages, listening: Listening) -> std::io::Result<Server> {
    let https = api.public_url.starts_with("https://");
    // Connections have it from the socket that they are accepted by.
    set_tcp_user_timeout(&listening.listener, u32::try_from(UNREAD.as_millis()).unwrap_or(u32::MAX))?;
    let server = HttpServer::new(move || {
        HttpApp::new()
            .wrap(NormalizePath::new(TrailingSlash::Trim))
            .wrap(from_fn(answer::answer))
            // Outermost, so that problems have them too.
            .wrap(security_headers(https))
            .configure(|config| configure(config, api.clone(), pages))
    })
    .workers(listening.workers)
    .max_connections(connections() / listening.workers.max(1))
    .client_request_timeout(HEAD_DEADLINE)
    .keep_alive(KeepAlive::Timeout(Duration::from_secs(75)))
    .shutdown_timeout(listening.drain_s)
    .disable_signals();
    let server = match listening.tls {
        Some(tls) => server.listen_rustls_0_23(listening.listener, tls)?,
        None => server.listen(listening.listener)?,
    };
    Ok(server.run())
}

/// How many connections there may be. A process may open few files unless it asks for more, and without files to open it
/// could record nothing: it asks for all that it may have, and leaves some.
fn connections() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    let files = if raised.is_ok() { limit.maximum } else { limit.current };
    let files = files.map_or(usize::MAX, |files| usize::try_from(files).unwrap_or(usize::MAX));
    // A system that grants too few files for both halves them.
    MAX_CONNECTIONS.min(files.saturating_sub(OTHER_FILES).max(files / 2))
}

/// The routes and what is shared by them, without the wrapping of [`serve`].
pub fn configure(config: &mut web::ServiceConfig, api: web::Data<Api>, pages: Pages) {
    let query = web::QueryConfig::default().error_handler(|error, _| body::refused_query(&error).into());
    // A segment that no id could look like names nothing.
    let path = web::PathConfig::default().error_handler(|_, _| Problem::of("path.unknown").into());
    config.app_data(api).app_data(query).app_data(path).app_data(pages);
    openapi::routes(config);
    (pages.routes)(config);
    config.default_service(web::to(openapi::nothing_here));
}

/// The API's answers are for programs: no browser is to sniff, frame, cache or embed them. Pages bring looser ones.
fn security_headers(https: bool) -> DefaultHeaders {
    let headers = DefaultHeaders::new()
        .add(("x-content-type-options", "nosniff"))
        .add(("content-security-policy", "default-src 'none'; frame-ancestors 'none'"))
        .add(("cross-origin-resource-policy", "same-origin"))
        .add(("referrer-policy", "no-referrer"))
        .add(("cache-control", "no-store"));
    if https { headers.add(("strict-transport-security", "max-age=31536000")) } else { headers }
}

#[cfg(test)]
mod tests {
    use actix_web::test;

    use super::*;

    #[actix_web::test]
    async fn every_answer_has_a_correlation_and_the_security_headers() {
        let app = HttpApp::new()
            .wrap(NormalizePath::new(TrailingSlash::Trim))
            .wrap(from_fn(answer::answer))
            .wrap(security_headers(true))
            .configure(openapi::routes);
        let app = test::init_service(app).await;
        for path in ["/healthz", "/healthz/", "/docs/errors", "/openapi.json"] {
            let response = test::call_service(&app, test::TestRequest::get().uri(path).to_request()).await;
            assert!(response.status().is_success(), "{path}");
            for name in ["x-correlation-id", "x-content-type-options", "strict-transport-security"] {
                assert!(response.headers().contains_key(name), "{path} lacks {name}");
            }
        }
    }
}
