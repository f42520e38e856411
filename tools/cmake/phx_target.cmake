# What every target of the project shares. Nothing global is set: a parent project keeps its own flags.
function(phx_target name)
  target_compile_features(${name} PUBLIC cxx_std_20)
  set_target_properties(${name} PROPERTIES CXX_EXTENSIONS OFF CXX_VISIBILITY_PRESET hidden
                                           VISIBILITY_INLINES_HIDDEN ON POSITION_INDEPENDENT_CODE ON)
  target_compile_options(${name} PRIVATE -Wall -Wextra -Wpedantic -Wconversion -Wshadow)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    target_compile_options(${name} PRIVATE -Wno-restrict) # wrong about "text" + std::string: GCC bug 105651
  endif()
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    # g++ 12 at -O3 takes the inactive members of a moved std::variant for uninitialized ones.
    target_compile_options(${name} PRIVATE -Wno-maybe-uninitialized)
  endif()
  if(PHX_WERROR)
    target_compile_options(${name} PRIVATE -Werror)
  endif()
  if(PHX_SANITIZE)
    target_compile_options(${name} PRIVATE -fsanitize=${PHX_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(${name} PUBLIC -fsanitize=${PHX_SANITIZE})
  endif()
endfunction()
