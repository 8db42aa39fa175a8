"""The simulated robot and its table: physics, position servos, sensors and cameras, without any ROS."""

from __future__ import annotations

from collections.abc import Sequence

import mujoco
import numpy as np

from ams_ros.errors import ConfigurationError
from ams_ros.robot.profile import RobotProfile
from ams_ros.simulation.arm_model import FT_SITE
from ams_ros.simulation.faults.disturbances import Disturbances
from ams_ros.simulation.layout import CUP_RADIUS, CubePlacement, CupPlacement, SceneLayout
from ams_ros.simulation.rendering import SceneRenderer
from ams_ros.simulation.scene import CAMERAS, build_model
from ams_ros.simulation.workspace import Workspace, workspace_of
from ams_ros.types import CameraImage, Float64Array, JointSample, WrenchSample


class Plant:
    """One arm in front of one scene. Not thread-safe: physics and rendering all from one thread.

    The position servos hold a set point each. A joint takes a commanded position only when it differs by more than
    `deadband` (rad) from the one it holds, as servos with coarse registers do, so that small jitter leaves the arm
    still; the set point then travels to it at the joint's speed limit, or evenly over the profile's interpolation time.
    The gripper's drive travels at its own speed.
    """

    cameras: tuple[str, ...] = CAMERAS

    def __init__(
        self,
        profile: RobotProfile,
        deadband: float | None = None,
        timestep: float = 0.002,
        workspace: Workspace | None = None,
    ) -> None:
        """Build the scene with nothing but the bowl on the table. deadband, workspace: default, the robot's own.

        Raises ConfigurationError for a deadband or timestep out of range.
        """
        deadband = profile.deadband if deadband is None else deadband
        if not 0.0 <= deadband <= 0.1:
            raise ConfigurationError("deadband", deadband, "0..0.1 rad")
        if not (0.0005 <= timestep <= 0.005 and abs(0.01 / timestep - round(0.01 / timestep)) < 1e-9):
            raise ConfigurationError("timestep", timestep, "0.0005..0.005 s, a whole number of which makes 0.01 s")
        self.profile = profile
        self.deadband = deadband
        self.timestep = timestep
        self.workspace = workspace or workspace_of(profile)
        self.layout = SceneLayout()
        self._dof = len(profile.joints)
        self._names = (*profile.joint_names, profile.gripper.joint)
        self._past = 0.0
        self._renderer: SceneRenderer | None = None
        self._build(self.layout)
        self.reset(self.layout)

    def _build(self, layout: SceneLayout) -> None:
        """Make a model with as many things as the layout has."""
        self._close_renderer()
        self._content = _content(layout)
        cube_count, cup_count, bowl = self._content
        self._model = build_model(
            self.profile, cube_count, self.timestep, cups=cup_count, bowl=bowl, workspace=self.workspace
        )
        self._data = mujoco.MjData(self._model)
        gripper = self.profile.gripper
        names = (*self.profile.joint_names, gripper.joint, gripper.mirror_joint)
        self._qpos = np.array([self._model.joint(name).qposadr[0] for name in names])
        self._qvel = np.array([self._model.joint(name).dofadr[0] for name in names])
        cubes = [self._model.joint(f"cube_{index}") for index in range(cube_count)]
        self._cube_qpos = np.array([cube.qposadr[0] for cube in cubes], dtype=int)
        self._cube_qvel = np.array([cube.dofadr[0] for cube in cubes], dtype=int)
        cups = [self._model.joint(f"cup_{index}") for index in range(cup_count)]
        self._cup_qpos = np.array([cup.qposadr[0] for cup in cups], dtype=int)
        self._cup_qvel = np.array([cup.dofadr[0] for cup in cups], dtype=int)
        self._cup_geoms = np.array([self._model.geom(f"cup_{index}").id for index in range(cup_count)], dtype=int)
        speeds = np.append(self.profile.velocity, gripper.drive_speed)
        self._travel = speeds * self.timestep
        self._pace = self._travel.copy()
        self._cameras = {name: self._model.camera(name).id for name in CAMERAS}
        self.disturbances = Disturbances(self._model, self._data, self.profile, self.workspace)

    def reset(self, layout: SceneLayout) -> None:
        """Set the scene up afresh and undo every disturbance; `time` goes on from where it was."""
        self._past = self.time
        self.disturbances.clear()
        if _content(layout) != self._content:
            self._build(layout)
        mujoco.mj_resetData(self._model, self._data)
        self.layout = layout
        self._place_cubes(layout.cubes)
        self._place_cups(layout.cups)
        arm = self.profile.start if layout.arm is None else layout.arm
        finger = self.profile.gripper.upper if layout.finger is None else layout.finger
        self._data.qpos[self._qpos] = (*arm, finger, finger)
        self._target = np.append(np.asarray(arm, dtype=np.float64), finger)
        self._set_point = self._target.copy()
        self._data.ctrl[:] = self._set_point
        mujoco.mj_forward(self._model, self._data)
        if layout.settle > 0.0:
            self.advance(layout.settle)

    def _place_cubes(self, cubes: Sequence[CubePlacement]) -> None:
        for index, (cube, at) in enumerate(zip(cubes, self._cube_qpos, strict=True)):
            self._data.qpos[at : at + 3] = self.workspace.place(cube.x, cube.y, cube.z)
            self._data.qpos[at + 3 : at + 7] = _quaternion(cube.yaw)
            geom = self._model.geom(f"cube_{index}").id
            self._model.geom_rgba[geom, :3] = cube.colour
            self._model.geom_friction[geom, 0] = cube.friction

    def _place_cups(self, cups: Sequence[CupPlacement]) -> None:
        for index, (cup, at) in enumerate(zip(cups, self._cup_qpos, strict=True)):
            edge = CUP_RADIUS * np.array([np.cos(cup.heading), np.sin(cup.heading), 0.0])
            body = self._model.body(f"cup_{index}").id
            self._model.body_pos[body] = self.workspace.place(cup.x, cup.y, 0.0) + edge
            self._model.body_quat[body] = _quaternion(cup.heading)
            self._model.geom_rgba[self._cup_geoms[index], :3] = cup.colour
            self._data.qpos[at] = np.pi / 2 if cup.down else 0.0

    @property
    def time(self) -> float:
        """Simulation time, s, over the plant's whole life."""
        return self._past + float(self._data.time)

    def command_arm(self, position: Float64Array) -> None:
        """Give the servos a new position (dof,) rad; limits clip it, the deadband may leave a joint where it is."""
        position = np.clip(position, self.profile.lower, self.profile.upper)
        held = self._target[: self._dof]
        self._target[: self._dof] = np.where(np.abs(position - held) > self.deadband, position, held)
        spread = self.profile.interpolation
        if spread > 0.0:
            gap = np.abs(self._target - self._set_point)[: self._dof]
            self._pace[: self._dof] = np.minimum(gap * (self.timestep / spread), self._travel[: self._dof])

    def command_gripper(self, finger: float) -> None:
        """Give the gripper's drive a new finger position, m; its limits clip it."""
        self._target[self._dof] = np.clip(finger, self.profile.gripper.lower, self.profile.gripper.upper)

    @property
    def arm_command(self) -> Float64Array:
        """(dof,) rad, what the arm's servos were last given and hold or travel to."""
        return self._target[: self._dof].copy()

    def advance(self, seconds: float) -> None:
        """Run the physics for a whole number of steps. Raises ValueError for any other duration."""
        steps = round(seconds / self.timestep)
        if steps < 0 or abs(steps * self.timestep - seconds) > 1e-9:
            raise ValueError(f"advance: {seconds} s, expected a whole number of steps of {self.timestep} s")
        while steps > 0:
            gap = self._target - self._set_point
            if not gap.any():
                mujoco.mj_step(self._model, self._data, nstep=steps)
                return
            self._set_point += np.clip(gap, -self._pace, self._pace)
            self._data.ctrl[:] = self._set_point
            mujoco.mj_step(self._model, self._data)
            steps -= 1

    def joints(self) -> JointSample:
        """Measured arm joints and, last, the left finger, with velocity and the actuators' effort."""
        order, speed = self._qpos[:-1], self._qvel[:-1]
        return JointSample(
            stamp=self.time,
            names=self._names,
            position=self._data.qpos[order].copy(),
            velocity=self._data.qvel[speed].copy(),
            effort=self._data.qfrc_actuator[speed].copy(),
        )

    def wrench(self) -> WrenchSample:
        """What the gripper's side of the wrist exerts on the arm's side, in the frame wrist_ft_link."""
        force, torque = self._data.sensor("wrist_force").data, self._data.sensor("wrist_torque").data
        return WrenchSample(stamp=self.time, frame=FT_SITE, force=-force, torque=-torque)

    def cube_poses(self) -> tuple[Float64Array, Float64Array]:
        """Truth, for tasks, experts and tests only: centres (n, 3) m and quaternions (n, 4) wxyz in base_link."""
        rows = self._cube_qpos[:, None]
        return self._data.qpos[rows + np.arange(3)], self._data.qpos[rows + np.arange(3, 7)]

    def cube_speeds(self) -> Float64Array:
        """Truth, for tasks and tests only: (n,) m/s of the cubes' centres."""
        return np.asarray(np.linalg.norm(self._data.qvel[self._cube_qvel[:, None] + np.arange(3)], axis=1))

    def cup_feet(self) -> Float64Array:
        """Truth: (n, 3), x and y of the middle of each cup's foot while it stands, m, in base_link, and its heading."""
        x, y = self.workspace.origin
        return np.array([(x + cup.x, y + cup.y, cup.heading) for cup in self.layout.cups]).reshape(-1, 3)

    def cup_centres(self) -> Float64Array:
        """Truth: (n, 3) m, the middle of each cup as it stands or lies, in base_link."""
        return np.asarray(self._data.geom_xpos[self._cup_geoms])

    def cup_tilts(self) -> tuple[Float64Array, Float64Array]:
        """Truth: (n,) rad, 0 for a standing and pi / 2 for a lying cup, and how fast each changes, (n,) rad/s."""
        return self._data.qpos[self._cup_qpos], self._data.qvel[self._cup_qvel]

    def render(self, camera: str, width: int, height: int) -> CameraImage:
        """What a camera sees now. Raises ConfigurationError for an unknown camera or an unusable size."""
        number = self._camera(camera, width, height)
        if self._renderer is None:
            self._renderer = SceneRenderer(self._model)
        pixels = self._renderer.draw(self._data, number, width, height, shadows=camera == "overview")
        return CameraImage(camera=camera, stamp=self.time, pixels=pixels)

    def camera_matrix(self, camera: str, width: int, height: int) -> Float64Array:
        """(3, 3) pinhole intrinsics in pixels, pixel centres at whole numbers. Raises as `render` does."""
        number = self._camera(camera, width, height)
        focal = height / 2 / np.tan(np.radians(self._model.cam_fovy[number]) / 2)
        return np.array([[focal, 0.0, (width - 1) / 2], [0.0, focal, (height - 1) / 2], [0.0, 0.0, 1.0]])

    def _camera(self, camera: str, width: int, height: int) -> int:
        if camera not in self._cameras:
            raise ConfigurationError("camera", camera, ", ".join(CAMERAS))
        if not (16 <= width <= 1920 and 16 <= height <= 1920):
            raise ConfigurationError("camera size", (width, height), "16..1920 pixels each way")
        return int(self._cameras[camera])

    def _close_renderer(self) -> None:
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None

    def close(self) -> None:
        """Give the OpenGL context back."""
        self._close_renderer()


def _quaternion(yaw: float) -> tuple[float, float, float, float]:
    """A turn about z, wxyz."""
    return float(np.cos(yaw / 2)), 0.0, 0.0, float(np.sin(yaw / 2))


def _content(layout: SceneLayout) -> tuple[int, int, bool]:
    """What a scene's model is made for: how many cubes, how many cups, whether there is a bowl."""
    return len(layout.cubes), len(layout.cups), layout.bowl
