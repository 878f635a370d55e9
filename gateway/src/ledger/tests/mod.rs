//! Tests of the whole ledger.

mod erased;
