//! Prints `deploy/rbac.yaml`.

fn main() {
    print!("{}", hermez_controller::rights::role_yaml());
}
