"""Calls of the functions of numpy.fft."""

from .common import calls

ONE_AXIS = ["fft", "ifft", "rfft", "irfft", "hfft", "ihfft"]
MANY_AXES = ["fft2", "ifft2", "rfft2", "irfft2", "fftn", "ifftn", "rfftn", "irfftn"]

FFT = [
    *[
        f"np.fft.{name}({arguments})"
        for name in ONE_AXIS
        for arguments in [
            "v",
            "t, n=5",
            "t, axis=1, norm='ortho'",
            "u, 4, norm='forward'",
        ]
    ],
    *[
        f"np.fft.{name}({arguments})"
        for name in MANY_AXES
        for arguments in ["a", "t, s=(3, 5), axes=(2, 0)", "a, norm='ortho'"]
    ],
    *calls("""
    np.fft.fftshift(t); np.fft.fftshift(t, axes=1); np.fft.ifftshift(t)
    np.fft.ifftshift(t, axes=(0, 1))
    """),
]

WITHOUT_GRADIENT = calls("np.fft.fftfreq(5); np.fft.rfftfreq(5)")
