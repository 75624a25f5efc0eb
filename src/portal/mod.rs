//! The port that portal events leave by, and its adapter. What they say is in `domain::portal`.

mod signature;
pub mod webhook;

use crate::operation::Answer;
use crate::operation::request::EventRequest;

/// Tells the portal. Called from several threads at once. Nobody asks a portal what it has: it takes an event any number of times,
/// and knows it by its id.
pub trait Portal: Send + Sync {
    fn deliver(&self, request: &EventRequest) -> Answer;

    /// It was called for so long, or has not answered so often, that this run leaves it alone.
    fn is_left_alone(&self) -> bool;
}
