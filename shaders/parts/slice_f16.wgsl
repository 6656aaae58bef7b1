// A part of every tiled kernel, without a twin of its own.
// Four neighbours of a slice in workgroup memory, rounded to eleven bits.

enable f16;

alias Slice = vec4<f16>;
