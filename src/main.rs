fn main() -> std::process::ExitCode {
    gia_gpu::cli::main()
}
