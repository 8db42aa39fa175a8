"""Looking up what the pool has for an observation: the tier on the device first, then the store (spec C2)."""

from __future__ import annotations

from dataclasses import dataclass, field

from ams_ros.context.hashing.input_key import camera_key, prefix_key
from ams_ros.context.records import ModelKey, VectorKind
from ams_ros.context.reuse.approximate import ApproximateReuse
from ams_ros.context.reuse.device_tier import DeviceTier
from ams_ros.context.reuse.guarded_store import GuardedStore
from ams_ros.context.reuse.stage_medians import StageMedians
from ams_ros.context.store import FetchedVector
from ams_ros.errors import InferenceError
from ams_ros.policy.protocol import DeviceArray, Policy, PrefixCache
from ams_ros.types import Observation

PROCESS = "process"


@dataclass(slots=True)
class Reusable:
    """What was found for one observation.

    keys: input key by camera; that of another picture where the camera's own passes for it. differences: patch
    difference of those cameras. prefix_key: of instruction and keys. features: by camera, as far as found. prefix:
    None when it has to be built. tiers, sizes: where each vector found lay and its bytes, by key.
    """

    keys: dict[str, bytes]
    prefix_key: bytes
    differences: dict[str, float]
    features: dict[str, DeviceArray] = field(default_factory=dict)
    prefix: PrefixCache | None = None
    tiers: dict[bytes, str] = field(default_factory=dict)
    sizes: dict[bytes, int] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)

    def take(self, key: bytes, camera: str, value: DeviceArray, tier: str, nbytes: int) -> None:
        """Note a vector that was found: the features of a camera, or the prefix where that is empty."""
        self.tiers[key], self.sizes[key] = tier, nbytes
        if camera:
            self.features[camera] = value
        else:
            self.prefix = value

    @property
    def reused(self) -> tuple[str, ...]:
        """Cameras that need not be encoded for building the prefix."""
        return tuple(self.keys) if self.prefix is not None else tuple(self.features)

    @property
    def reused_keys(self) -> tuple[bytes, ...]:
        """Keys of the vectors that are computed with instead of anew; a whole prefix makes features needless."""
        return (self.prefix_key,) if self.prefix is not None else tuple(self.keys[each] for each in self.features)


class PoolReader:
    """Finds features and prefixes by what they were computed from. One instance serves one thread."""

    def __init__(
        self,
        policy: Policy,
        model: ModelKey,
        store: GuardedStore,
        *,
        tier: DeviceTier,
        medians: StageMedians,
        approximate: ApproximateReuse | None,
    ) -> None:
        """Without `approximate` only identical pictures count as the same."""
        self._policy, self._model, self._digest = policy, model, model.digest
        self._store, self._tier, self._medians = store, tier, medians
        self._approximate = approximate

    def look_up(self, observation: Observation) -> Reusable:
        """Everything there is for this observation. A picture that is missing has no key, and nothing is found for it.

        Raises ConfigurationError for a picture that is none.
        """
        found = self._keys(observation)
        wanted = {found.prefix_key: "", **{key: camera for camera, key in found.keys.items()}}
        # What is on the device is taken hold of before anything fetched could push it out.
        for key, camera in wanted.items():
            if (value := self._tier.get(key)) is not None:
                found.take(key, camera, value, PROCESS, self._tier.size(key))
        absent = tuple(key for key in wanted if key not in found.tiers and self._store.might_have(key))
        fetched = self._store.fetch(self._model, absent) if absent else {}
        for key in absent:
            if key in fetched:
                self._take_fetched(found, key, wanted[key], fetched[key])
        return found

    def remember(self, observation: Observation, found: Reusable) -> None:
        """The features of every camera that was not approximated are at hand: references for approximate reuse."""
        if self._approximate is not None:
            for camera, key in found.keys.items():
                if camera not in found.differences:
                    self._approximate.remember(observation.images[camera], key)

    def _keys(self, observation: Observation) -> Reusable:
        images = {each: observation.images[each] for each in self._model.cameras if each in observation.images}
        keys = {camera: camera_key(self._digest, image) for camera, image in images.items()}
        exact = Reusable(keys, prefix_key(self._digest, observation.instruction, keys), {})
        if self._approximate is None:
            return exact
        self._approximate.next_slice()
        # What is there for the very pictures is better than what is there for some like them.
        if self._within_reach(exact.prefix_key):
            return exact
        near = {
            camera: found
            for camera, image in images.items()
            if not self._within_reach(keys[camera])
            and (found := self._approximate.near(image)) is not None
            and found.key in self._tier
        }
        keys = keys | {camera: found.key for camera, found in near.items()}
        differences = {camera: found.difference for camera, found in near.items()}
        return Reusable(keys, prefix_key(self._digest, observation.instruction, keys), differences)

    def _within_reach(self, key: bytes) -> bool:
        return key in self._tier or self._store.might_have(key)

    def _take_fetched(self, found: Reusable, key: bytes, camera: str, vector: FetchedVector) -> None:
        """Bring the vector to the device; only a message when it is not what its key promises."""
        kind = VectorKind.VISION if camera else VectorKind.PREFIX
        value: DeviceArray
        try:
            if vector.kind is not kind:
                raise InferenceError(f"the pool gave {vector.kind.value} for a key of {kind.value}")
            if camera:
                value = self._policy.features_from_host({camera: vector.array}).tokens[camera]
            else:
                value = self._policy.prefix_from_host(vector.array)
        except InferenceError as error:
            found.messages.append(str(error))
            return
        found.take(key, camera, value, vector.tier, vector.array.nbytes)
        cost = self._medians.latest("encode" if camera else "prefix")
        self._tier.admit(key, value, kind, vector.array.nbytes, cost)
