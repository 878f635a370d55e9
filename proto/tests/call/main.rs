//! Paths and heads of calls, attacked.

mod head;
mod path;
