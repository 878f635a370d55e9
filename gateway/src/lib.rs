//! `passerelle-gateway`: not built yet. `docs/ARCHITECTURE.md` says what it will own.
