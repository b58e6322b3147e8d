//! A client that asks over many connections at once and keeps them open.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// What is asked, over and over.
pub(crate) struct Asked {
    /// `127.0.0.1:port`.
    pub(crate) address: String,
    pub(crate) method: Method,
    /// By connection.
    pub(crate) path: Box<dyn Fn(usize) -> String + Send + Sync>,
    /// By connection: a service's or a session's token.
    pub(crate) token: Box<dyn Fn(usize) -> String + Send + Sync>,
    /// By connection and by the number of the request, which is unique over all.
    pub(crate) body: Box<dyn Fn(usize, u64) -> String + Send + Sync>,
    /// What every answer has to be.
    pub(crate) expected: StatusCode,
}

/// How a load went.
pub(crate) struct Load {
    pub(crate) per_second: f64,
    /// Milliseconds of every request.
    pub(crate) latencies: Vec<f64>,
}

/// The pace of a load.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pace {
    /// Each connection asks again as soon as it is answered.
    Saturated,
    /// So many requests a second over all connections, whether earlier ones are answered or not: an answer's latency
    /// counts from the moment at which its request was due.
    PerSecond(f64),
}

/// A runtime for clients.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime")
}

/// Asks for a while.
pub(crate) async fn load(asked: &Arc<Asked>, connections: usize, pace: Pace, turn: Duration) -> Load {
    let numbers = Arc::new(AtomicU64::new(rand_start()));
    let began = Instant::now();
    let tasks: Vec<_> = (0..connections)
        .map(|n| {
            let (asked, numbers) = (Arc::clone(asked), Arc::clone(&numbers));
            let every = match pace {
                Pace::Saturated => None,
                Pace::PerSecond(rate) => Some(Duration::from_secs_f64(connections as f64 / rate)),
            };
            tokio::spawn(
                async move { one_connection(n, connections, &asked, &numbers, every, began, turn).await },
            )
        })
        .collect();
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await.expect("a connection ends in order"));
    }
    Load { per_second: latencies.len() as f64 / began.elapsed().as_secs_f64(), latencies }
}

/// Requests of different runs against one server have to differ.
fn rand_start() -> u64 {
    (uuid::Uuid::new_v4().as_u128() as u64) >> 8
}

async fn one_connection(
    n: usize,
    of: usize,
    asked: &Asked,
    numbers: &AtomicU64,
    every: Option<Duration>,
    began: Instant,
    turn: Duration,
) -> Vec<f64> {
    let mut sender = connect(&asked.address).await;
    let (path, token) = ((asked.path)(n), format!("Bearer {}", (asked.token)(n)));
    let mut latencies = Vec::new();
    // Spread over the interval, so that they don't all ask at once.
    let mut due = began + every.map_or(Duration::ZERO, |every| every.mul_f64(n as f64 / of as f64));
    while began.elapsed() < turn {
        if every.is_some() {
            tokio::time::sleep_until(due.into()).await;
        } else {
            due = Instant::now();
        }
        let body = (asked.body)(n, numbers.fetch_add(1, Ordering::Relaxed));
        let request = Request::builder()
            .method(asked.method.clone())
            .uri(&path)
            .header(HOST, &asked.address)
            .header(AUTHORIZATION, &token)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))
            .expect("a request");
        sender.ready().await.expect("the server keeps the connection");
        let answer = sender.send_request(request).await.expect("an answer");
        let status = answer.status();
        let body = answer.into_body().collect().await.expect("a body").to_bytes();
        assert_eq!(status, asked.expected, "{path}: {}", String::from_utf8_lossy(&body));
        latencies.push(due.elapsed().as_secs_f64() * 1000.0);
        due += every.unwrap_or_default();
    }
    latencies
}

/// A connection that is kept open.
pub(crate) async fn connect(address: &str) -> SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(address).await.expect("a connection");
    stream.set_nodelay(true).expect("no delay");
    let (sender, connection) = handshake(TokioIo::new(stream)).await.expect("HTTP/1.1");
    tokio::spawn(async move {
        // An error here is an error of the request that meets it.
        let _ = connection.await;
    });
    sender
}

/// A request that only reads.
pub(crate) fn get(address: &str, path: &str, token: &str) -> Request<Full<Bytes>> {
    let request =
        Request::builder().uri(path).header(HOST, address).header(AUTHORIZATION, format!("Bearer {token}"));
    request.body(Full::default()).expect("a request")
}
