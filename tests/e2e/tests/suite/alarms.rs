//! The alarms as they are deployed.
