//! The private Postgres by itself, as somebody with the folder's secrets reaches it.

use std::fs;

use integration::Server;
use tokio_postgres::{Client, Config, NoTls};

/// The roles that the folder has secrets of.
#[derive(Debug, Clone, Copy)]
pub enum Role {
    /// The runtime's.
    App,
    /// Migrations'.
    Owner,
}

/// Runs statements as a role; the error is Postgres' own sentence.
pub fn execute(server: &Server, role: Role, statements: &str) -> Result<(), String> {
    connected(server, role, async |client| {
        client.batch_execute(statements).await.map_err(|error| {
            error.as_db_error().map_or_else(|| error.to_string(), |db| db.message().to_owned())
        })
    })
}

/// The first column of what a query finds, as the owner.
pub fn query(server: &Server, sql: &str) -> Vec<Vec<u8>> {
    let rows = connected(server, Role::Owner, async |client| client.query(sql, &[]).await);
    rows.unwrap().iter().map(|row| row.get(0)).collect()
}

fn connected<T>(server: &Server, role: Role, work: impl AsyncFnOnce(&Client) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (user, secret) = match role {
            Role::App => ("sealbook_app", "postgres-app.password"),
            Role::Owner => ("sealbook_owner", "postgres-owner.password"),
        };
        let password = fs::read_to_string(server.data().join("secrets").join(secret)).unwrap();
        let mut config = Config::new();
        config.host_path(server.data().join("postgres/socket")).port(5432).dbname("sealbook");
        config.user(user).password(password.trim());
        let (client, connection) = config.connect(NoTls).await.expect("Postgres is there");
        let task = tokio::spawn(connection);
        let done = work(&client).await;
        drop(client);
        let _ = task.await;
        done
    })
}
