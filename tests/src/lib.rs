//! A whole Passerelle network in one command, its end-to-end tests, attacks, faults and bench.

pub mod attacker;
pub mod bench;
pub mod exposition;
pub mod generator;
pub mod local;
pub mod network;
pub mod probe;
pub mod roles;
pub mod sandbox;
pub mod service;
