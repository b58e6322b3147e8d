//! What is lost, altered or replaced under a server, and how it comes back: high-water files, backups, restores, rebuilt
//! read tables, and rows that somebody edited.

mod altered;
mod behind;
mod database;
mod operator;
