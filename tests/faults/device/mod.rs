//! What a device may do to a server that signs with it.

mod counting;
mod gone;
