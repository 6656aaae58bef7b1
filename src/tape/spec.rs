//! Sizes of convolutions and pooling windows, shared by an operation and all its derivatives.

/// All sizes of a 2-d convolution. The three convolution ops of one trilinear form
/// ⟨conv(x, w), g⟩ share one spec, so no size is ever inferred backwards.
///
/// Shapes: x `(T,B,C,H,W)`, w `(T,O,C/groups,kh,kw)`, output and g `(T,B,O,OH,OW)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConvSpec {
    /// `B`
    pub batch: usize,
    /// `C`
    pub channels: usize,
    /// `O`
    pub outputs: usize,
    /// `[H, W]`
    pub size: [usize; 2],
    /// `[kh, kw]`
    pub kernel: [usize; 2],
    /// Of the kernel's moves, `[down, right]`.
    pub stride: [usize; 2],
    /// Zeros on each side of an axis.
    pub padding: [usize; 2],
    /// Distance of neighbouring kernel elements in the input, per axis.
    pub dilation: [usize; 2],
    /// Into which channels and outputs are divided; each part is convolved for itself.
    pub groups: usize,
}

impl ConvSpec {
    /// `[OH, OW]`; 0 where the dilated kernel is larger than the padded input.
    pub fn output_size(&self) -> [usize; 2] {
        [0, 1].map(|d| {
            let reach = self.dilation[d] * (self.kernel[d] - 1) + 1;
            let padded = self.size[d] + 2 * self.padding[d];
            if padded < reach { 0 } else { (padded - reach) / self.stride[d] + 1 }
        })
    }

    /// Elements of x for one trial.
    pub fn input_len(&self) -> usize {
        self.batch * self.channels * self.size[0] * self.size[1]
    }

    /// Elements of w for one trial.
    pub fn weight_len(&self) -> usize {
        self.outputs * self.patch_len()
    }

    /// Elements of the output for one trial.
    pub fn output_len(&self) -> usize {
        let [oh, ow] = self.output_size();
        self.batch * self.outputs * oh * ow
    }

    /// `C/groups · kh · kw`: the contracted length of the forward convolution.
    pub fn patch_len(&self) -> usize {
        self.channels / self.groups * self.kernel[0] * self.kernel[1]
    }

    /// Floating-point operations of any of the three convolutions, for one trial.
    pub fn flops(&self) -> u64 {
        2 * self.output_len() as u64 * self.patch_len() as u64
    }

    /// Whether every channel is a group of its own, with one output.
    pub fn is_depthwise(&self) -> bool {
        self.groups > 1 && self.groups == self.channels && self.groups == self.outputs
    }

    /// The gradient by x of a convolution of stride 1, one group and padding within the kernel's reach: a convolution of
    /// g with the weights turned round, `(T,C,O,kh,kw)` and backwards along kh and kw.
    pub fn turned(&self) -> Option<ConvSpec> {
        let ConvSpec { channels, outputs, kernel, stride, padding, dilation, groups, .. } = *self;
        let reach = [0, 1].map(|d| dilation[d] * (kernel[d] - 1));
        let fits = stride == [1; 2] && groups == 1 && (0..2).all(|d| padding[d] <= reach[d]);
        let padding = [0, 1].map(|d| reach[d].saturating_sub(padding[d]));
        fits.then(|| ConvSpec {
            channels: outputs,
            outputs: channels,
            size: self.output_size(),
            padding,
            ..*self
        })
    }

    /// Of x, `(T,B,C,H,W)`.
    pub fn input_shape(&self, trials: usize) -> Vec<usize> {
        vec![trials, self.batch, self.channels, self.size[0], self.size[1]]
    }

    /// Of w, `(T,O,C/groups,kh,kw)`.
    pub fn weight_shape(&self, trials: usize) -> Vec<usize> {
        vec![trials, self.outputs, self.channels / self.groups, self.kernel[0], self.kernel[1]]
    }

    /// Of the result, `(T,B,O,OH,OW)`.
    pub fn output_shape(&self, trials: usize) -> Vec<usize> {
        let [oh, ow] = self.output_size();
        vec![trials, self.batch, self.outputs, oh, ow]
    }
}

/// Windows of a pooling operation over the last two axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WindowSpec {
    /// `[H, W]`
    pub size: [usize; 2],
    /// Height and width of a window.
    pub kernel: [usize; 2],
    /// From one window to the next, per axis.
    pub stride: [usize; 2],
    /// Positions outside the input on each side; never chosen by a maximum, zero in a sum.
    pub padding: [usize; 2],
}

impl WindowSpec {
    /// `[OH, OW]`, rounding down.
    pub fn output_size(&self) -> [usize; 2] {
        [0, 1].map(|d| {
            let padded = self.size[d] + 2 * self.padding[d];
            if padded < self.kernel[d] { 0 } else { (padded - self.kernel[d]) / self.stride[d] + 1 }
        })
    }
}
