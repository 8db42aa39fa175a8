"""A robot's profile: what its YAML file under config/robots says, checked and frozen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ams_ros.errors import ConfigurationError
from ams_ros.resources import share_directory
from ams_ros.robot.section import Section, Vector, read_section
from ams_ros.robot.shape import Shape, read_shape
from ams_ros.types import Float64Array


@dataclass(frozen=True, slots=True)
class JointSpec:
    """One revolute arm joint.

    child: the link it moves. origin_xyz, origin_rpy: of the child's frame at angle zero in the link of the joint before
    it (base link for the first), m and roll, pitch, yaw about fixed axes (URDF's convention), rad. axis: unit vector in
    the child's frame. lower, upper: rad. velocity: rad/s. acceleration: rad/s^2. effort: N m. damping: N m s/rad.
    friction: N m. armature: kg m^2 its rotor adds behind the gears.
    """

    name: str
    child: str
    origin_xyz: Vector
    axis: Vector
    lower: float
    upper: float
    velocity: float
    acceleration: float
    effort: float
    damping: float
    friction: float
    armature: float = 0.0
    origin_rpy: Vector = (0.0, 0.0, 0.0)

    @property
    def origin_rotation(self) -> Float64Array:
        """(3, 3), the child's frame at angle zero in the link of the joint before it."""
        return rotation_of(self.origin_rpy)


@dataclass(frozen=True, slots=True)
class GripperSpec:
    """A parallel gripper whose two fingers slide along +y and -y of the last link.

    joint, mirror_joint: the left and the right finger. origin_xyz: of the carriage in the last arm joint's child, m.
    lower (closed), upper (open): position of the left finger, m; the gap is twice that. velocity: m/s. effort: N per
    finger. damping: N s/m. friction: N. drive_speed: m/s with which the drive moves a finger towards its target.
    """

    joint: str
    mirror_joint: str
    origin_xyz: Vector
    lower: float
    upper: float
    velocity: float
    effort: float
    damping: float
    friction: float
    drive_speed: float


@dataclass(frozen=True, slots=True, eq=False)
class LinkSpec:
    """Mass properties of one link.

    mass: kg. com: m, link frame. inertia: (3, 3) kg m^2 about com, along the link's axes. fixed_to: the link it is
    bolted to at origin_xyz (m), empty for links a joint moves. shapes: what others can touch of it, in its frame.
    """

    name: str
    mass: float
    com: Vector
    inertia: Float64Array
    fixed_to: str
    origin_xyz: Vector
    shapes: tuple[Shape, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class RobotProfile:
    """Everything about one robot model.

    start: (dof,) rad, the pose tasks start from. safe: (dof,) rad, clear of table and objects, where a robot waits that
    could not be brought back the way it came. tip_origin: m, of the tip link in the last arm joint's child. deadband:
    rad; a position nearer than this to the one a joint's servo holds does not move it; 0 where that is not known.
    interpolation: s over which the simulated servos spread the way to a new position; 0: they go as fast as they may.
    """

    name: str
    title: str
    base_link: str
    tip_link: str
    tip_origin: Vector
    joints: tuple[JointSpec, ...]
    gripper: GripperSpec
    links: tuple[LinkSpec, ...]
    start: Float64Array
    safe: Float64Array
    deadband: float = 0.0
    interpolation: float = 0.0

    @property
    def joint_names(self) -> tuple[str, ...]:
        """Arm joints from base to tip."""
        return tuple(joint.name for joint in self.joints)

    @property
    def lower(self) -> Float64Array:
        """(dof,) lower joint limits, rad."""
        return np.array([joint.lower for joint in self.joints])

    @property
    def upper(self) -> Float64Array:
        """(dof,) upper joint limits, rad."""
        return np.array([joint.upper for joint in self.joints])

    @property
    def velocity(self) -> Float64Array:
        """(dof,) speed limits, rad/s."""
        return np.array([joint.velocity for joint in self.joints])

    @property
    def acceleration(self) -> Float64Array:
        """(dof,) acceleration limits, rad/s^2."""
        return np.array([joint.acceleration for joint in self.joints])

    @property
    def effort(self) -> Float64Array:
        """(dof,) torque limits, N m."""
        return np.array([joint.effort for joint in self.joints])

    def link(self, name: str) -> LinkSpec:
        """The link of that name. Raises ConfigurationError when there is none."""
        for link in self.links:
            if link.name == name:
                return link
        raise ConfigurationError(f"{self.name}.link", name, ", ".join(link.name for link in self.links))


def load_profile(name: str) -> RobotProfile:
    """Read config/robots/<name>.yaml. Raises ConfigurationError naming the key that is missing or wrong."""
    known = profile_names()
    if name not in known:
        raise ConfigurationError("robot", name, ", ".join(known))
    return read_profile(_folder() / f"{name}.yaml")


def profile_names() -> tuple[str, ...]:
    """The profiles there are."""
    return tuple(sorted(path.stem for path in _folder().glob("*.yaml")))


def _folder() -> Path:
    return share_directory() / "config" / "robots"


def read_profile(path: Path) -> RobotProfile:
    """Read one profile file. Raises ConfigurationError naming the key that is missing or wrong."""
    root = read_section(path)
    profile = RobotProfile(
        name=root.text("name"),
        title=root.text("title"),
        base_link=root.text("base_link"),
        tip_link=root.text("tip_link"),
        tip_origin=root.vector("tip_origin"),
        joints=tuple(_joint(section) for section in root.sections("joints")),
        gripper=_gripper(root.section("gripper")),
        links=tuple(_link(section) for section in root.sections("links")),
        start=np.array(root.numbers("start")),
        safe=np.array(root.numbers("safe")),
        deadband=root.number("deadband") if root.has("deadband") else 0.0,
        interpolation=root.number("interpolation") if root.has("interpolation") else 0.0,
    )
    _check(profile, path.name)
    return profile


def _check(profile: RobotProfile, source: str) -> None:
    dof = len(profile.joints)
    if dof == 0:
        raise ConfigurationError(f"{source}: joints", [], "at least one joint")
    for key, pose in (("start", profile.start), ("safe", profile.safe)):
        if pose.shape != (dof,):
            raise ConfigurationError(f"{source}: {key}", pose.tolist(), f"{dof} angles, one for each joint")
        if not ((pose >= profile.lower) & (pose <= profile.upper)).all():
            raise ConfigurationError(f"{source}: {key}", pose.tolist(), "angles within the joint limits")
    if not 0.0 <= profile.deadband <= 0.1:
        raise ConfigurationError(f"{source}: deadband", profile.deadband, "0..0.1 rad")
    if not 0.0 <= profile.interpolation <= 0.1:
        raise ConfigurationError(f"{source}: interpolation", profile.interpolation, "0..0.1 s")
    links = {link.name for link in profile.links}
    for link in (profile.base_link, *(joint.child for joint in profile.joints)):
        if link not in links:
            raise ConfigurationError(f"{source}: links", sorted(links), f"an entry for {link}")
    for link_spec in profile.links:
        if link_spec.fixed_to and link_spec.fixed_to not in links:
            raise ConfigurationError(
                f"{source}: links.{link_spec.name}.fixed_to", link_spec.fixed_to, ", ".join(sorted(links))
            )


def _joint(section: Section) -> JointSpec:
    axis = section.vector("axis")
    if not np.isclose(np.linalg.norm(axis), 1.0):
        raise ConfigurationError(f"{section.key}.axis", axis, "a vector of length 1")
    lower, upper = section.span("lower", "upper")
    return JointSpec(
        name=section.text("name"),
        child=section.text("child"),
        origin_xyz=section.vector("origin"),
        axis=axis,
        lower=lower,
        upper=upper,
        velocity=section.positive("velocity"),
        acceleration=section.positive("acceleration"),
        effort=section.positive("effort"),
        damping=section.positive("damping"),
        friction=section.positive("friction"),
        armature=section.positive("armature") if section.has("armature") else 0.0,
        origin_rpy=section.vector("origin_rpy") if section.has("origin_rpy") else (0.0, 0.0, 0.0),
    )


def _gripper(section: Section) -> GripperSpec:
    lower, upper = section.span("lower", "upper")
    return GripperSpec(
        joint=section.text("joint"),
        mirror_joint=section.text("mirror_joint"),
        origin_xyz=section.vector("origin"),
        lower=lower,
        upper=upper,
        velocity=section.positive("velocity"),
        effort=section.positive("effort"),
        damping=section.positive("damping"),
        friction=section.positive("friction"),
        drive_speed=section.positive("drive_speed"),
    )


def _link(section: Section) -> LinkSpec:
    xx, yy, zz, xy, xz, yz = section.numbers("inertia", 6)
    turn = rotation_of(section.vector("inertia_rpy"))
    inertia = turn @ np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]) @ turn.T
    if np.linalg.eigvalsh(inertia)[0] <= 0.0:
        raise ConfigurationError(f"{section.key}.inertia", [xx, yy, zz, xy, xz, yz], "a positive definite tensor")
    fixed = section.has("fixed_to")
    return LinkSpec(
        name=section.text("name"),
        mass=section.positive("mass"),
        com=section.vector("com"),
        inertia=inertia,
        fixed_to=section.text("fixed_to") if fixed else "",
        origin_xyz=section.vector("origin") if fixed else (0.0, 0.0, 0.0),
        shapes=tuple(map(read_shape, section.sections("shapes"))) if section.has("shapes") else (),
    )


def rotation_of(rpy: Vector) -> Float64Array:
    """(3, 3) rotation matrix of roll, pitch, yaw about fixed axes (URDF's convention)."""
    (cr, cp, cy), (sr, sp, sy) = np.cos(rpy), np.sin(rpy)
    roll = np.array([[1, 0, 0], [0, cr, -sr], [0, sr, cr]])
    pitch = np.array([[cp, 0, sp], [0, 1, 0], [-sp, 0, cp]])
    yaw = np.array([[cy, -sy, 0], [sy, cy, 0], [0, 0, 1]])
    return np.asarray(yaw @ pitch @ roll, dtype=np.float64)
