//! What a cluster needs before anything can run in it: cluster DNS as a
//! Service (its process runs beside the cluster, not in a pod), and permissions
//! for the supervisor's own clients and for Hermez.

/// Applied at each start. `NODE_ADDRESS` is replaced.
pub(super) const MANIFEST: &str = concat!(
    include_str!("bootstrap.yaml"),
    "---\n",
    include_str!("../../../../deploy/rbac.yaml")
);
