"""Pictures of a MuJoCo model without a screen, and the choice of the OpenGL that draws them."""

from __future__ import annotations

import ctypes
import ctypes.util
import importlib
import os
from typing import Any

import mujoco
import numpy as np

from ams_ros.errors import AmsError, ConfigurationError
from ams_ros.types import PixelArray

MEND = "install one with: sudo apt-get install libegl1 libgl1-mesa-dri   (or: sudo apt-get install libosmesa6)"
_EGL_EXTENSION_TYPES = (ctypes.c_int, ctypes.POINTER(ctypes.c_void_p), ctypes.POINTER(ctypes.c_int))
_EGL_PLATFORM_DEVICE = 0x313F


class RenderingError(AmsError):
    """No OpenGL that works without a screen was found."""


def choose_gl() -> str:
    """Pick "egl", else "osmesa", and leave the choice in MUJOCO_GL; a choice already there is kept.

    Raises RenderingError naming the packages to install when neither works, ConfigurationError when MUJOCO_GL names
    something else.
    """
    chosen = os.environ.get("MUJOCO_GL", "").lower().strip()
    if chosen in ("egl", "osmesa"):
        return chosen
    if chosen:
        raise ConfigurationError("MUJOCO_GL", chosen, "egl, osmesa, or unset to have one chosen")
    if _egl_works():
        chosen = "egl"
    elif ctypes.util.find_library("OSMesa") is not None:
        chosen = "osmesa"
    else:
        raise RenderingError(f"no OpenGL that draws without a screen was found; {MEND}")
    os.environ["MUJOCO_GL"] = chosen
    return chosen


def _egl_works() -> bool:
    """Whether libEGL is there and at least one of its devices can be initialised.

    Asked through ctypes and not through PyOpenGL, which cannot change its mind within a process.
    """
    name = ctypes.util.find_library("EGL")
    if name is None:
        return False
    egl = ctypes.CDLL(name)
    egl.eglGetProcAddress.restype = ctypes.c_void_p
    query_address = egl.eglGetProcAddress(b"eglQueryDevicesEXT")
    display_address = egl.eglGetProcAddress(b"eglGetPlatformDisplayEXT")
    if not query_address or not display_address:
        return False
    query = ctypes.CFUNCTYPE(ctypes.c_uint, *_EGL_EXTENSION_TYPES)(query_address)
    get_display = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_uint, ctypes.c_void_p, ctypes.c_void_p)(display_address)
    devices, count = (ctypes.c_void_p * 16)(), ctypes.c_int(0)
    if not query(16, devices, ctypes.byref(count)):
        return False
    egl.eglInitialize.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
    for device in devices[: count.value]:
        display = get_display(_EGL_PLATFORM_DEVICE, device, None)
        if display and egl.eglInitialize(display, None, None):
            return True
    return False


class SceneRenderer:
    """Draws one model from its cameras. Everything from the thread that made it.

    Pictures for the policy are drawn plainly, because shadows cost most of the time; those for people have shadows.
    """

    def __init__(self, model: Any) -> None:
        """Open an OpenGL context for `model` (MjModel). Raises RenderingError when that fails."""
        backend = choose_gl()
        try:
            # An own context of the chosen kind: mujoco.Renderer takes whatever MUJOCO_GL said when mujoco was imported.
            self._gl = importlib.import_module(f"mujoco.{backend}").GLContext(64, 64)
            self._gl.make_current()
        except (ImportError, RuntimeError, AttributeError, OSError) as error:
            raise RenderingError(f"OpenGL through {backend} does not start ({error}); {MEND}") from error
        self._model = model
        self._scene = mujoco.MjvScene(model, maxgeom=400)
        self._option = mujoco.MjvOption()
        self._camera = mujoco.MjvCamera()
        self._camera.type = mujoco.mjtCamera.mjCAMERA_FIXED
        self._contexts: dict[tuple[int, int], Any] = {}

    def draw(self, data: Any, camera: int, width: int, height: int, shadows: bool) -> PixelArray:
        """The picture of camera number `camera` at the state of `data` (MjData): (height, width, 3) uint8."""
        self._gl.make_current()
        context = self._context((width, height))
        self._camera.fixedcamid = camera
        mujoco.mjv_updateScene(
            self._model, data, self._option, None, self._camera, mujoco.mjtCatBit.mjCAT_ALL.value, self._scene
        )
        self._scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = shadows
        self._scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = False
        self._scene.flags[mujoco.mjtRndFlag.mjRND_SKYBOX] = shadows
        viewport = mujoco.MjrRect(0, 0, width, height)
        pixels = np.empty((height, width, 3), np.uint8)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value, context)
        mujoco.mjr_render(viewport, self._scene, context)
        mujoco.mjr_readPixels(pixels, None, viewport, context)
        return np.ascontiguousarray(pixels[::-1])

    def _context(self, size: tuple[int, int]) -> Any:
        """One drawing context per picture size: resizing one costs more than a picture."""
        if size not in self._contexts:
            self._model.vis.global_.offwidth, self._model.vis.global_.offheight = size
            self._contexts[size] = mujoco.MjrContext(self._model, mujoco.mjtFontScale.mjFONTSCALE_50.value)
        return self._contexts[size]

    def close(self) -> None:
        """Give the contexts back; the renderer cannot be used afterwards."""
        self._gl.make_current()
        for context in self._contexts.values():
            context.free()
        self._contexts.clear()
        self._gl.free()
