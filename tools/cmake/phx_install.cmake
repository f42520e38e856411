include(CMakePackageConfigHelpers)
set(PHX_CMAKEDIR ${CMAKE_INSTALL_LIBDIR}/cmake/phx CACHE STRING "Where phxConfig.cmake goes")

install(TARGETS phx phx_server EXPORT phxTargets
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime NAMELINK_COMPONENT development
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development
        FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development)
install(EXPORT phxTargets NAMESPACE phx:: DESTINATION ${PHX_CMAKEDIR} COMPONENT development)

configure_package_config_file(${PROJECT_SOURCE_DIR}/tools/cmake/phxConfig.cmake.in
                              ${PROJECT_BINARY_DIR}/phxConfig.cmake INSTALL_DESTINATION ${PHX_CMAKEDIR})
# 0.x: a minor release may break, so only the same minor version satisfies find_package.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/phxConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/phxConfig.cmake ${PROJECT_BINARY_DIR}/phxConfigVersion.cmake
        DESTINATION ${PHX_CMAKEDIR} COMPONENT development)

foreach(package phx phx-server)
  configure_file(${PROJECT_SOURCE_DIR}/tools/cmake/${package}.pc.in ${PROJECT_BINARY_DIR}/${package}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/${package}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig
          COMPONENT development)
endforeach()

if(PHX_BUILD_TOOLS)
  install(TARGETS phx-cli phx-server RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT tools)
endif()
