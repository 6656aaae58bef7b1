//! The program: [`gia_gpu::cli`], and what must be set before it runs.

fn main() -> std::process::ExitCode {
    // Mesa's device selection layer complains on standard error on machines without a desktop, and we
    // choose among all adapters ourselves.
    // SAFETY: no other thread runs yet.
    unsafe { std::env::set_var("NODEVICE_SELECT", "1") };
    gia_gpu::cli::main()
}
