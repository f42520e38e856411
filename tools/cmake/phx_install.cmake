include(CMakePackageConfigHelpers)
set(PHX_CMAKEDIR ${CMAKE_INSTALL_LIBDIR}/cmake/phx CACHE STRING "Where phxConfig.cmake goes")

install(TARGETS phx phx_server phx_testing EXPORT phxTargets
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

# Relative to where the .pc file lies, so that `cmake --install --prefix` anywhere works; absolute directories
# (GNUInstallDirs allows them) stay as they are.
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}" OR IS_ABSOLUTE "${CMAKE_INSTALL_INCLUDEDIR}")
  set(PHX_PC_PREFIX ${CMAKE_INSTALL_PREFIX})
  set(PHX_PC_LIBDIR ${CMAKE_INSTALL_FULL_LIBDIR})
  set(PHX_PC_INCLUDEDIR ${CMAKE_INSTALL_FULL_INCLUDEDIR})
else()
  file(RELATIVE_PATH up /p/${CMAKE_INSTALL_LIBDIR}/pkgconfig /p)
  set(PHX_PC_PREFIX "\${pcfiledir}/${up}")
  set(PHX_PC_LIBDIR "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
  set(PHX_PC_INCLUDEDIR "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
endif()
foreach(package phx phx-server phx-testing)
  configure_file(${PROJECT_SOURCE_DIR}/tools/cmake/${package}.pc.in ${PROJECT_BINARY_DIR}/${package}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/${package}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig
          COMPONENT development)
endforeach()

# Libraries and programs that were installed together find each other, wherever that is.
if(NOT IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}" AND NOT IS_ABSOLUTE "${CMAKE_INSTALL_BINDIR}")
  file(RELATIVE_PATH lib_from_bin /p/${CMAKE_INSTALL_BINDIR} /p/${CMAKE_INSTALL_LIBDIR})
  set_property(TARGET phx_server phx_testing PROPERTY INSTALL_RPATH "$ORIGIN")
  if(PHX_BUILD_TOOLS)
    set_property(TARGET phx-cli phx-server PROPERTY INSTALL_RPATH "$ORIGIN/${lib_from_bin}")
  endif()
endif()
if(PHX_BUILD_TOOLS)
  install(TARGETS phx-cli phx-server RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT tools)
  install(FILES ${PROJECT_SOURCE_DIR}/tools/phx-server/phx-server.example.json DESTINATION ${CMAKE_INSTALL_DOCDIR}
          COMPONENT tools)
endif()
