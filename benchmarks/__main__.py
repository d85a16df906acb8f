"""Every benchmark, one after the other: python -m benchmarks"""

from benchmarks import compile_time, lesson8

compile_time.main()
print()
lesson8.main()
