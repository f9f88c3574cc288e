//! A real Kubernetes on this machine, with a registry, BuildKit and a Git
//! forge beside it, for developers and for tests.
//!
//! The cluster lives in namespaces of its own: PID and mount for everything,
//! network for what belongs to Kubernetes. That gives the crate its one strong
//! guarantee: **when the supervisor is gone, however it went, the kernel has
//! already ended every process, mount, address and firewall rule of the
//! cluster.** What can be left is files in the data folder and empty cgroups,
//! and [`cleanup`] removes the latter.
//!
//! | module | owns |
//! | --- | --- |
//! | [`paths`], [`settings`], [`status`] | where things are, what was chosen, what runs |
//! | [`machine`], [`packages`] | what the machine must have |
//! | [`cache`], [`components`], [`base_image`], [`flink_image`] | what is built once per machine |
//! | [`launch`], [`cleanup`] | starting and stopping the supervisor from outside |
//! | `supervisor` (feature) | everything that happens inside the namespaces |
//!
//! Finding a running cluster, as tests do:
//! ```no_run
//! let data_dir = hermez_sandbox::paths::default_data_dir()?;
//! let status = hermez_sandbox::status::read(&data_dir)?;
//! println!("{}", status.server);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod base_image;
pub mod cache;
pub mod cleanup;
pub mod command;
pub mod components;
pub mod files;
pub mod flink_image;
pub mod http;
pub mod launch;
pub mod machine;
pub mod packages;
pub mod paths;
pub mod ports;
pub mod settings;
pub mod status;
#[cfg(feature = "supervisor")]
pub mod supervisor;
