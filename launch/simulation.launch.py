"""Start the graph of config/graph.yaml with a simulated robot and bring it to `active`: the launch twin of `ams up`.

    ros2 launch ams_ros simulation.launch.py policy:=cubes speed:=0.0 use_sim_time:=true

Every node's process is started at once; then each is configured and activated in the list's order, the next one only
when the one before is active. A node that ends, or falls back to `unconfigured`, ends the launch: nothing is restarted
silently.
"""

from __future__ import annotations

from typing import Any

from launch.action import Action
from launch.actions import DeclareLaunchArgument, EmitEvent, LogInfo, OpaqueFunction, RegisterEventHandler
from launch.events import Shutdown, matches_action
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode
from launch_ros.event_handlers import OnStateTransition
from launch_ros.events.lifecycle import ChangeState
from lifecycle_msgs.msg import Transition

from ams_ros.nodes.graph import GraphNode, load_graph, overlay_of
from launch import LaunchContext, LaunchDescription

ARGUMENTS = (
    DeclareLaunchArgument("namespace", default_value="", description="of all nodes; empty: the node list's own"),
    DeclareLaunchArgument("use_sim_time", default_value="false", description="run on the simulator's clock"),
    DeclareLaunchArgument("speed", default_value="", description="of simulated against real time; 0: unbounded"),
    DeclareLaunchArgument("policy", default_value="", description="name or folder of a checkpoint"),
    DeclareLaunchArgument("robot", default_value="", description="a file under config/overlays, such as jaka_s5"),
    DeclareLaunchArgument("log_level", default_value="info", description="of every node"),
)


def generate_launch_description() -> LaunchDescription:
    """What `ros2 launch` asks for."""
    return LaunchDescription([*ARGUMENTS, OpaqueFunction(function=_graph)])


def _graph(context: LaunchContext) -> list[Action]:
    listed = load_graph()
    nodes = [_node(context, entry) for entry in listed]
    handlers: list[Action] = []
    for index, node in enumerate(nodes):
        then = [_change(node, Transition.TRANSITION_ACTIVATE)]
        handlers.append(_when(node, "configuring", "inactive", then))
        if index + 1 < len(nodes):
            following = [_change(nodes[index + 1], Transition.TRANSITION_CONFIGURE)]
            handlers.append(_when(node, "activating", "active", following))
        fallen = _end(f"{listed[index].name} fell back to unconfigured; its log says why")
        handlers.append(_when(node, None, "unconfigured", [fallen]))
    # Handlers first, so that no transition is missed.
    return [*handlers, *nodes, _change(nodes[0], Transition.TRANSITION_CONFIGURE)]


def _node(context: LaunchContext, entry: GraphNode) -> LifecycleNode:
    def argument(name: str) -> str:
        return LaunchConfiguration(name).perform(context)

    chosen: dict[str, Any] = {"use_sim_time": argument("use_sim_time").lower() == "true"}
    if entry.name == "simulated_robot" and argument("speed"):
        chosen["speed"] = float(argument("speed"))
    if entry.name == "inference" and argument("policy"):
        chosen["policy"] = argument("policy")
    overlays = [str(overlay_of(argument("robot")))] if argument("robot") else []
    return LifecycleNode(
        package="ams_ros",
        executable=entry.executable,
        name=entry.name,
        namespace=argument("namespace") or entry.namespace,
        parameters=[str(entry.parameters), *overlays, chosen],
        arguments=["--ros-args", "--log-level", argument("log_level")],
        output="screen",
        on_exit=_end(f"{entry.name} ended"),
    )


def _end(reason: str) -> OpaqueFunction:
    """End the launch and say why; once it is ending, further processes that end are no news."""

    def end(context: LaunchContext) -> list[Action]:
        return [] if context.is_shutdown else [LogInfo(msg=reason), EmitEvent(event=Shutdown(reason=reason))]

    return OpaqueFunction(function=end)


def _change(node: LifecycleNode, transition: int) -> EmitEvent:
    return EmitEvent(event=ChangeState(lifecycle_node_matcher=matches_action(node), transition_id=transition))


def _when(node: LifecycleNode, start: str | None, goal: str, entities: list[Action]) -> RegisterEventHandler:
    return RegisterEventHandler(
        OnStateTransition(target_lifecycle_node=node, start_state=start, goal_state=goal, entities=entities)
    )
