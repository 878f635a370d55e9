//! Vectors made by another implementation.
