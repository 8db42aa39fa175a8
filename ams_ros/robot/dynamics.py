"""Rigid-body dynamics of a profile's arm: weight, inertia, momentum and where the tip is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ams_ros.errors import ConfigurationError
from ams_ros.robot.profile import JointSpec, LinkSpec, RobotProfile
from ams_ros.types import Float64Array


class ArmDynamics:
    """Computed by pinocchio on a model of the arm, its fixed links and its fingers, the base standing upright.

    Positions q and velocities v are (dof,) float64, rad and rad/s. Results are arrays of this object: the next call of
    the same method overwrites them, so copy what is kept. Not for two threads at once.
    """

    def __init__(self, profile: RobotProfile, armature: Sequence[float] = ()) -> None:
        """Build the model; the fingers sit at half their stroke.

        armature: (dof,) kg m^2 that the rotors add behind the gears; empty means what the profile says. Raises
        ConfigurationError for another number of them, a negative one, or a link that is not tied to the arm.
        """
        import pinocchio  # noqa: PLC0415 - a third of a second that the command line need not pay

        dof = len(profile.joints)
        rotors = np.array(armature if len(armature) else [joint.armature for joint in profile.joints], dtype=np.float64)
        if rotors.shape != (dof,) or not (np.isfinite(rotors).all() and (rotors >= 0.0).all()):
            raise ConfigurationError("armature", list(armature), f"{dof} inertias of at least 0 kg m^2")
        self.profile = profile
        self._pin: Any = pinocchio
        self._model, self._tip = _build(pinocchio, profile, rotors)
        self._data = self._model.createData()
        self._last = dof
        tool = self._model.inertias[dof]
        self.tool_mass = float(tool.mass)
        """Of everything behind the last joint, kg."""
        self.gravity_acceleration = float(-self._model.gravity.linear[2])
        """m/s^2."""
        x, y, z = tool.lever.tolist()
        self.tool_com: tuple[float, float, float] = (x, y, z)
        """Its centre of mass in the last link, m."""
        self._mass, self._nonlinear, self._gravity = np.zeros((dof, dof)), np.zeros(dof), np.zeros(dof)
        self._wrist = np.zeros(dof)
        self._momentum, self._drift = np.zeros(dof), np.zeros(dof)
        self._jacobian = np.zeros((6, dof))
        self._weight, self._lever = np.zeros(3), np.zeros(3)
        self._down, self._down_pose = (0.0, 0.0, -1.0), b""
        self._about_com, self._about_base = np.zeros(3), np.zeros(3)

    def gravity(self, q: Float64Array) -> Float64Array:
        """(dof,) N m that hold the arm against its weight."""
        self._gravity[:] = self._pin.computeGeneralizedGravity(self._model, self._data, q)
        return self._gravity

    def mass_matrix(self, q: Float64Array) -> Float64Array:
        """(dof, dof) kg m^2, rotors included."""
        self._mass[:] = self._pin.crba(self._model, self._data, q)
        return self._mass

    def nonlinear(self, q: Float64Array, v: Float64Array) -> Float64Array:
        """(dof,) N m of weight, Coriolis and centrifugal forces: C v + g."""
        self._nonlinear[:] = self._pin.nonLinearEffects(self._model, self._data, q, v)
        return self._nonlinear

    def momentum(self, q: Float64Array, v: Float64Array) -> tuple[Float64Array, Float64Array]:
        """The generalised momentum M v (dof,) N m s, and what of its change no motor makes: C^T v - g (dof,) N m.

        With motor torque tau and external torque e, the momentum changes by tau + C^T v - g + e, friction apart
        (De Luca et al. 2006, "Collision detection and safe reaction with the DLR-III lightweight manipulator arm").
        """
        pin, model, data = self._pin, self._model, self._data
        coriolis = pin.computeCoriolisMatrix(model, data, q, v)
        # dot, as matmul takes three times as long for so few numbers, more so when it was not in use just before.
        v.dot(coriolis, out=self._drift)
        self._drift -= pin.computeGeneralizedGravity(model, data, q)
        pin.crba(model, data, q).dot(v, out=self._momentum)
        return self._momentum, self._drift

    def angular_momentum(self, q: Float64Array, v: Float64Array) -> tuple[Float64Array, Float64Array]:
        """(3,) kg m^2/s of the moving links, base axes: about their common centre of mass, and about the base."""
        data = self._data
        momentum = self._pin.computeCentroidalMomentum(self._model, data, q, v)
        self._about_com[:] = momentum.angular
        x, y, z = data.com[0].tolist()
        px, py, pz = momentum.linear.tolist()
        self._about_base[:] = (y * pz - z * py, z * px - x * pz, x * py - y * px)
        self._about_base += self._about_com
        return self._about_com, self._about_base

    def tip_pose(self, q: Float64Array) -> tuple[Float64Array, Float64Array]:
        """Pose of the tip link in the base link: rotation (3, 3), place (3,) m."""
        self._pin.forwardKinematics(self._model, self._data, q)
        pose = self._pin.updateFramePlacement(self._model, self._data, self._tip)
        return pose.rotation, pose.translation

    def jacobian(self, q: Float64Array) -> Float64Array:
        """(6, dof) of the tip: its velocity, m/s, over its turning, rad/s, along the axes of the base, per rad/s."""
        frame = self._pin.ReferenceFrame.LOCAL_WORLD_ALIGNED
        self._jacobian[:] = self._pin.computeFrameJacobian(self._model, self._data, q, self._tip, frame)
        return self._jacobian

    def wrist_torque(self, q: Float64Array, wrench: Float64Array) -> Float64Array:
        """(dof,) N m that a force (3,) N and torque (3,) N m on the last link, in its frame and in one array, exert."""
        wrench.dot(self._pin.computeJointJacobian(self._model, self._data, q, self._last), out=self._wrist)
        return self._wrist

    def down(self, q: Float64Array) -> tuple[float, float, float]:
        """The direction of gravity in the last link's frame, a unit vector.

        Kept for the pose it was last asked for, as several rules ask for the same.
        """
        pose = q.tobytes()
        if pose != self._down_pose:
            self._pin.forwardKinematics(self._model, self._data, q)
            x, y, z = self._data.oMi[self._last].rotation[2].tolist()
            self._down, self._down_pose = (-x, -y, -z), pose
        return self._down

    def tool_weight(self, q: Float64Array) -> tuple[Float64Array, Float64Array]:
        """Force (3,) N and torque (3,) N m that the weight behind the last joint exerts there, in its link's frame.

        This is what a wrist sensor in that place shows of an arm that stands still and touches nothing.
        """
        x, y, z = self.down(q)
        weight = self.tool_mass * self.gravity_acceleration
        x, y, z = x * weight, y * weight, z * weight
        cx, cy, cz = self.tool_com
        self._weight[:] = (x, y, z)
        self._lever[:] = (cy * z - cz * y, cz * x - cx * z, cx * y - cy * x)
        return self._weight, self._lever


def _build(pin: Any, profile: RobotProfile, rotors: Float64Array) -> tuple[Any, int]:
    """The model and the number of its tip frame."""
    model, carriers, joint = pin.Model(), {profile.base_link: 0}, 0
    for spec in profile.joints:
        origin = pin.SE3(spec.origin_rotation, np.array(spec.origin_xyz))
        joint = model.addJoint(joint, _joint(pin, spec), origin, spec.name)
        carriers[spec.child] = joint
    gripper = profile.gripper
    middle = (gripper.lower + gripper.upper) / 2
    x, y, z = gripper.origin_xyz
    fingers = {f"{gripper.joint}_link": (x, y + middle, z), f"{gripper.mirror_joint}_link": (x, y - middle, z)}
    for link in profile.links:
        if link.name in carriers:
            carrier, place = carriers[link.name], np.zeros(3)
        elif link.name in fingers:
            carrier, place = joint, np.array(fingers[link.name])
        else:
            carrier, place = _carrier(profile, link, carriers)
        model.appendBodyToJoint(carrier, pin.Inertia(link.mass, np.array(link.com), link.inertia), _shift(pin, place))
    tip = pin.Frame(profile.tip_link, joint, 0, _shift(pin, profile.tip_origin), pin.FrameType.OP_FRAME)
    model.armature[:] = rotors
    return model, model.addFrame(tip)


def _carrier(profile: RobotProfile, link: LinkSpec, carriers: dict[str, int]) -> tuple[int, Float64Array]:
    """The joint that moves a bolted link, and where the link sits in that joint's link."""
    place, seen = np.zeros(3), {link.name}
    while link.name not in carriers:
        if not link.fixed_to or link.fixed_to in seen:
            raise ConfigurationError(f"{profile.name}: links.{link.name}.fixed_to", link.fixed_to, "a link of the arm")
        place = place + np.array(link.origin_xyz)
        link = profile.link(link.fixed_to)
        seen.add(link.name)
    return carriers[link.name], place


def _joint(pin: Any, spec: JointSpec) -> Any:
    aligned = {(1.0, 0.0, 0.0): pin.JointModelRX, (0.0, 1.0, 0.0): pin.JointModelRY, (0.0, 0.0, 1.0): pin.JointModelRZ}
    kind = aligned.get(spec.axis)
    return pin.JointModelRevoluteUnaligned(np.array(spec.axis)) if kind is None else kind()


def _shift(pin: Any, place: Sequence[float] | Float64Array) -> Any:
    return pin.SE3(np.eye(3), np.array(place, dtype=np.float64))
