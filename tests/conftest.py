"""What all tests share: hypothesis without its clock, which a busy machine would trip."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "eegemo",
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.differing_executors],
)
settings.load_profile("eegemo")
