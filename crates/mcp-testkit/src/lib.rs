//! Fakes for tests, benches and the demo.

mod accept;
mod mcp;
mod sync;
mod wire;

pub use accept::{Accept, Refusal, TokenFacts, TokenLedger};
pub use mcp::{
    Answer, Delivery, Era, FakeMcpServer, FakeMcpServerBuilder, GetStream, HttpAnswer, Pages, Sse, SseEnd,
    Tool,
};
pub use wire::{RecordedRequest, Recorder};
