// A part of conv2d_depthwise and conv2d_grad_input_depthwise, without a twin of its own: which results an invocation computes.

// Four neighbouring results of a row, from column `col` on.
struct Run {
    col: u32,
    row: u32,
    plane: u32,   // in (T,B,C)
    channel: u32, // in (C)
    picture: u32, // in (B)
    trial: u32,   // in (T)
}

// Of invocation `at`, where results are (T,`batch`,`channels`,`height`,`width`).
fn run_of(at: u32, batch: u32, channels: u32, height: u32, width: u32) -> Run {
    let fours = (width + 3u) / 4u;
    let plane = at / fours / height;
    return Run(
        at % fours * 4u,
        at / fours % height,
        plane,
        plane % channels,
        plane / channels % batch,
        plane / channels / batch,
    );
}
