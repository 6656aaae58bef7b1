// A part of every tiled kernel, without a twin of its own.
// Four neighbours of a slice in workgroup memory, exact.

alias Slice = vec4f;
