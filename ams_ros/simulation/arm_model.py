"""The arm and its gripper as MJCF: mechanics and shapes from the profile; drives, colours and cameras from here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement

import numpy as np

from ams_ros.robot.dynamics import ArmDynamics
from ams_ros.robot.profile import JointSpec, LinkSpec, RobotProfile
from ams_ros.robot.shape import Shape

FT_SITE = "wrist_ft_link"
ARM_CONTYPE, ARM_CONAFFINITY = 2, 0
"""The arm touches table, bowl and cubes, but not itself."""

_STICTION = {"solreffriction": "0.004 1", "solimpfriction": "0.9999 0.9999 0.001"}
"""Dry friction that holds a joint where it stopped; MuJoCo's default lets it creep on for a second."""

BLACK, GREY, STEEL, WHITE = "0.13 0.13 0.15 1", "0.30 0.31 0.34 1", "0.62 0.64 0.68 1", "0.86 0.88 0.90 1"
ACCENT = "0.93 0.45 0.10 1"


@dataclass(frozen=True, slots=True)
class ServoSpec:
    """A joint's position servo. stiffness: N m/rad. damping: N m s/rad."""

    stiffness: float
    damping: float


# Each close to critically damped at about 70 rad/s with the inertia it carries in front of the table.
_WIDOWX_SERVOS: tuple[ServoSpec, ...] = (
    ServoSpec(540.0, 15.0),
    ServoSpec(880.0, 25.0),
    ServoSpec(400.0, 11.0),
    ServoSpec(60.0, 1.8),
    ServoSpec(60.0, 1.8),
    ServoSpec(24.0, 0.65),
)
_BANDWIDTH = 50.0
"""rad/s, of critically damped servos for every other arm: stiffer ones would shake a heavy arm and its wrist sensor."""

FINGER_SERVO = ServoSpec(stiffness=3500.0, damping=60.0)
"""For the pair: N/m, N s/m. Stiff enough to reach the effort limit on a 3.6 cm cube."""
_FINGER_ARMATURE = 0.1
"""kg the drive adds to each finger."""

# Of the profile's shapes, in its order; those of other links are grey.
_FINGER_COLOURS = (BLACK, STEEL)
_COLOURS: dict[str, dict[str, tuple[str, ...]]] = {
    "widowx_250s": {
        "base_link": (BLACK, GREY),
        "shoulder_link": (BLACK, BLACK, ACCENT),
        "upper_arm_link": (BLACK, BLACK, ACCENT),
        "upper_forearm_link": (BLACK, STEEL),
        "lower_forearm_link": (BLACK, ACCENT),
        "wrist_link": (BLACK,),
        "gripper_link": (STEEL, GREY, BLACK),
    },
    "jaka_s5": {
        "Link_00": (GREY, WHITE),
        "Link_01": (WHITE, WHITE),
        "Link_02": (WHITE, WHITE, WHITE),
        "Link_03": (GREY, WHITE, WHITE),
        "Link_04": (WHITE, GREY),
        "Link_05": (WHITE, GREY),
        "gripper_link": (STEEL, BLACK, GREY, BLACK),
    },
}
_EYE_TO_TIP = 0.065575
"""m along the gripper from the wrist camera to the tip."""


def servos_of(profile: RobotProfile) -> tuple[ServoSpec, ...]:
    """The simulated servos of each joint: those tuned for the WidowX; for any other arm, of one bandwidth.

    Their stiffness then follows from what each joint has to turn in the start pose.
    """
    if profile.name == "widowx_250s":
        return _WIDOWX_SERVOS
    carried = np.diag(ArmDynamics(profile).mass_matrix(profile.start))
    return tuple(ServoSpec(float(each) * _BANDWIDTH**2, 2.0 * float(each) * _BANDWIDTH) for each in carried)


def add_arm(world: Element, profile: RobotProfile) -> None:
    """Append the arm to the world body, its base link at the origin."""
    base = SubElement(world, "body", name=profile.base_link)
    _add_inertia(base, profile.link(profile.base_link))
    _add_shapes(base, profile, profile.link(profile.base_link))
    parent = base
    for joint in profile.joints:
        parent = _add_link(parent, profile, joint)
    SubElement(parent, "site", name=FT_SITE, size="0.004", rgba="0 0 0 0")
    tip = profile.tip_origin
    SubElement(parent, "site", name=profile.tip_link, pos=_row(tip), size="0.004", rgba="0 0 0 0")
    _add_wrist_camera(parent, tip[0])
    for side, sign in ((profile.gripper.joint, 1.0), (profile.gripper.mirror_joint, -1.0)):
        _add_finger(parent, profile, side, sign)


def _add_link(parent: Element, profile: RobotProfile, joint: JointSpec) -> Element:
    body = SubElement(parent, "body", name=joint.child, pos=_row(joint.origin_xyz), gravcomp="1")
    if any(joint.origin_rpy):
        body.set("euler", _row(joint.origin_rpy))
    SubElement(
        body,
        "joint",
        _STICTION,
        name=joint.name,
        type="hinge",
        axis=_row(joint.axis),
        range=_row((joint.lower, joint.upper)),
        damping=str(joint.damping),
        frictionloss=str(joint.friction),
        armature=str(joint.armature),
        # The motor carries the weight, so its effort shows it and its limit bounds it.
        actuatorgravcomp="true",
        actuatorfrcrange=_row((-joint.effort, joint.effort)),
    )
    _add_inertia(body, profile.link(joint.child))
    _add_shapes(body, profile, profile.link(joint.child))
    for link in profile.links:
        if link.fixed_to == joint.child:
            _add_inertia(SubElement(body, "body", name=link.name, pos=_row(link.origin_xyz), gravcomp="1"), link)
    return body


def _add_finger(parent: Element, profile: RobotProfile, joint: str, sign: float) -> None:
    gripper = profile.gripper
    body = SubElement(parent, "body", name=f"{joint}_link", pos=_row(gripper.origin_xyz), gravcomp="1")
    SubElement(
        body,
        "joint",
        _STICTION,
        name=joint,
        type="slide",
        axis=f"0 {sign} 0",
        range=_row((gripper.lower, gripper.upper)),
        damping=str(gripper.damping),
        frictionloss=str(gripper.friction),
        armature=str(_FINGER_ARMATURE),
        actuatorfrcrange=_row((-gripper.effort, gripper.effort)),
    )
    link = profile.link(f"{joint}_link")
    _add_inertia(body, link)
    pad = _add_shapes(body, profile, link)[-1]  # the profile names it last
    pad.attrib |= {"name": f"{joint}_pad", "condim": "4", "solimp": "0.95 0.99 0.001"}


def _add_wrist_camera(gripper: Element, tip: float) -> None:
    """A camera on the gripper that looks along the fingers, the cube between them at the picture's centre."""
    eye = round(tip - _EYE_TO_TIP, 6)
    ghost = {"type": "box", "contype": "0", "conaffinity": "0", "mass": "0"}
    case, post = _row((eye - 0.018, 0.0, 0.068)), _row((eye - 0.022, 0.0, 0.040))
    SubElement(gripper, "geom", ghost, size="0.010 0.012 0.006", pos=case, rgba=GREY)
    SubElement(gripper, "geom", ghost, size="0.006 0.006 0.026", pos=post, rgba=BLACK)
    # Right is the gripper's -y; up is in the plane of its x and z.
    down, back = _EYE_TO_TIP + 0.020, 0.038
    norm = (down**2 + back**2) ** 0.5
    axes = f"0 -1 0 {back / norm} 0 {down / norm}"
    SubElement(gripper, "camera", name="wrist", pos=_row((eye, 0.0, 0.074)), xyaxes=axes, fovy="68")


def _add_inertia(body: Element, link: LinkSpec) -> None:
    tensor = link.inertia
    full = (tensor[0, 0], tensor[1, 1], tensor[2, 2], tensor[0, 1], tensor[0, 2], tensor[1, 2])
    SubElement(body, "inertial", pos=_row(link.com), mass=str(link.mass), fullinertia=_row(full))


def _add_shapes(body: Element, profile: RobotProfile, link: LinkSpec) -> list[Element]:
    finger = link.name in (f"{profile.gripper.joint}_link", f"{profile.gripper.mirror_joint}_link")
    colours = _FINGER_COLOURS if finger else _COLOURS.get(profile.name, {}).get(link.name, ())
    if len(colours) != len(link.shapes):
        colours = (GREY,) * len(link.shapes)
    return [_add_shape(body, shape, colour) for shape, colour in zip(link.shapes, colours, strict=True)]


def _add_shape(body: Element, shape: Shape, colour: str) -> Element:
    geom = SubElement(body, "geom", type=shape.kind.value, size=_row(shape.size), pos=_row(shape.place), rgba=colour)
    geom.attrib |= {"contype": str(ARM_CONTYPE), "conaffinity": str(ARM_CONAFFINITY), "mass": "0"}
    if any(shape.rpy):
        geom.set("euler", _row(shape.rpy))
    return geom


def add_drives(root: Element, profile: RobotProfile) -> None:
    """Append the position servos, the coupling of the two fingers and the wrist's force/torque sensor."""
    gripper = profile.gripper
    pair = SubElement(SubElement(root, "tendon"), "fixed", name="fingers")
    for finger in (gripper.joint, gripper.mirror_joint):
        SubElement(pair, "joint", joint=finger, coef="0.5")
    SubElement(
        SubElement(root, "equality"), "joint", joint1=gripper.mirror_joint, joint2=gripper.joint, solref="0.004 1"
    )
    actuators = SubElement(root, "actuator")
    for joint, servo in zip(profile.joints, servos_of(profile), strict=True):
        span = _row((joint.lower, joint.upper))
        SubElement(
            actuators,
            "position",
            name=joint.name,
            joint=joint.name,
            kp=str(servo.stiffness),
            kv=str(servo.damping),
            ctrlrange=span,
        )
    SubElement(
        actuators,
        "position",
        name=gripper.joint,
        tendon="fingers",
        kp=str(FINGER_SERVO.stiffness),
        kv=str(FINGER_SERVO.damping),
        ctrlrange=_row((gripper.lower, gripper.upper)),
        forcerange=_row((-2 * gripper.effort, 2 * gripper.effort)),
    )
    sensors = SubElement(root, "sensor")
    SubElement(sensors, "force", name="wrist_force", site=FT_SITE)
    SubElement(sensors, "torque", name="wrist_torque", site=FT_SITE)


def _row(values: Iterable[float]) -> str:
    return " ".join(repr(float(value)) for value in values)
