"""lit configuration: every program here whose name ends in Test is a GoogleTest."""
import lit.formats

config.name = "mixwright-unit"
config.test_format = lit.formats.GoogleTest(".", "Test")
config.suffixes = []
config.environment["ASAN_OPTIONS"] = "allocator_may_return_null=1"
config.environment["TSAN_OPTIONS"] = "allocator_may_return_null=1"
config.test_source_root = config.test_exec_root = config.mixwright_unit_dir
