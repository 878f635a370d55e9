//! A whole Passerelle network in one command, its end-to-end tests, attacks, faults and bench.

pub mod bench;
pub mod generator;
pub mod sandbox;
