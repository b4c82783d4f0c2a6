# find_package(ecdc): ecdc::ecdc is the shared library, ecdc::ecdc_static the static one, which also wants the libraries that
# it stands on (FFmpeg, libsoxr, libcurl ...) with their development files.
include(CMakeFindDependencyMacro)
find_dependency(Threads)
include(${CMAKE_CURRENT_LIST_DIR}/ecdcTargets.cmake)
