//! What others make of what Sealbook writes: openssl of its signatures, and a reader that shares no code with it of its
//! bundles.

mod reader;
mod signatures;
mod vectors;
