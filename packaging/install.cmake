# What `cmake --install` puts where. Components are the Debian packages (package.cmake): ecdc the command, libecdc the shared
# library, libecdc-dev what a program is built with.

# The manual pages are made from the command's own help: the two cannot disagree.
if(NOT CMAKE_CROSSCOMPILING OR CMAKE_CROSSCOMPILING_EMULATOR)
  file(GLOB PAGE_SOURCES CONFIGURE_DEPENDS packaging/man/*)
  add_custom_command(OUTPUT man/ecdc.1 DEPENDS ecdc_command ${PAGE_SOURCES} VERBATIM
    COMMAND ${PROJECT_SOURCE_DIR}/packaging/man/make man ${CMAKE_CROSSCOMPILING_EMULATOR} $<TARGET_FILE:ecdc_command>)
  add_custom_target(man ALL DEPENDS man/ecdc.1)
  install(DIRECTORY ${PROJECT_BINARY_DIR}/man/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT ecdc)
endif()
install(TARGETS ecdc_command RUNTIME COMPONENT ecdc)
install(FILES packaging/completion.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME ecdc COMPONENT ecdc)

install(TARGETS ecdc_shared ecdc_static EXPORT ecdcTargets
        LIBRARY COMPONENT libecdc NAMELINK_COMPONENT libecdc-dev ARCHIVE COMPONENT libecdc-dev)
install(FILES include/ecdc.h TYPE INCLUDE COMPONENT libecdc-dev)

# pkg-config. The .pc file finds the prefix from where it lies, so that an installed tree can move.
file(RELATIVE_PATH PREFIX_FROM_PC /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
# Libraries instead of Requires.private: pkg-config would ask for their .pc files even where the shared library is linked.
list(JOIN DEPS_LDFLAGS " " DEPS_LINK_FLAGS)
configure_file(packaging/ecdc.pc.in ecdc.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/ecdc.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT libecdc-dev)

# find_package(ecdc 0.1): targets ecdc::ecdc and ecdc::ecdc_static.
include(CMakePackageConfigHelpers)
set(PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/ecdc)
set_target_properties(ecdc_shared PROPERTIES EXPORT_NAME ecdc)
install(EXPORT ecdcTargets NAMESPACE ecdc:: DESTINATION ${PACKAGE_DIR} COMPONENT libecdc-dev)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/ecdcConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES packaging/ecdcConfig.cmake ${PROJECT_BINARY_DIR}/ecdcConfigVersion.cmake DESTINATION ${PACKAGE_DIR} COMPONENT libecdc-dev)

# A Debian package has its licence below its own name.
if(CMAKE_INSTALL_PREFIX STREQUAL "/usr")
  foreach(component ecdc libecdc libecdc-dev)
    string(REGEX REPLACE "^libecdc$" "libecdc${PROJECT_VERSION_MAJOR}" package ${component})
    install(FILES LICENSE DESTINATION share/doc/${package} RENAME copyright COMPONENT ${component})
  endforeach()
endif()
include(packaging/package.cmake)
