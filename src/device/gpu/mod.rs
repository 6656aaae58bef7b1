//! The GPU device on wgpu: Vulkan, Metal, DX12.
