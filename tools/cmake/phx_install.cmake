# filled by tools/cmake/phx_install.cmake owner
