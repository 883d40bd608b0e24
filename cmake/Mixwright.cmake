# Helpers of the build. One function per kind of thing that we build.

set(MIXWRIGHT_WARNINGS -Wall -Wextra -Wno-unused-parameter)
if(MIXWRIGHT_WERROR)
  list(APPEND MIXWRIGHT_WARNINGS -Werror)
endif()

function(mixwright_common_options name)
  target_compile_options(${name} PRIVATE ${MIXWRIGHT_WARNINGS})
  # Programs and libraries share one precompiled header, so all are compiled alike.
  set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  target_compile_options(${name} PRIVATE -fPIC)
  if(MIXWRIGHT_SANITIZE)
    target_compile_options(${name} PRIVATE -fsanitize=${MIXWRIGHT_SANITIZE} -fno-omit-frame-pointer)
    target_link_options(${name} PUBLIC -fsanitize=${MIXWRIGHT_SANITIZE})
  endif()
endfunction()

# A precompiled cmake/pch.h from outside this build tree, made with the same flags: then a compiler cache
# can serve several trees. Empty: each tree makes its own.
set(MIXWRIGHT_SHARED_PCH "" CACHE FILEPATH "Precompiled header to use instead of making one")

function(mixwright_use_pch name)
  if(MIXWRIGHT_SHARED_PCH)
    target_compile_options(${name} PRIVATE -include-pch ${MIXWRIGHT_SHARED_PCH})
  else()
    target_precompile_headers(${name} REUSE_FROM MixwrightPCH)
  endif()
endfunction()

# A library of the compiler: static, sees MLIR, shares the precompiled header.
#   mixwright_library(<name> SOURCES <cpp>... [LIBS <lib>...])
function(mixwright_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  mixwright_common_options(${name})
  mixwright_use_pch(${name})
  target_link_libraries(${name} PUBLIC ${ARG_LIBS})
  add_dependencies(${name} MixwrightTableGen)
endfunction()

# A program of the compiler, linked with the LLVM and MLIR shared libraries.
#   mixwright_tool(<name> SOURCES <cpp>... [LIBS <lib>...])
function(mixwright_tool name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  mixwright_common_options(${name})
  mixwright_use_pch(${name})
  target_link_libraries(${name} PRIVATE ${ARG_LIBS} MLIR LLVM)
  add_dependencies(${name} MixwrightTableGen)
endfunction()

# A GoogleTest program. Goes to the folder that lit searches for unit tests; the
# name must end in Test.
#   mixwright_unit_test(<name> SOURCES <cpp>... [LIBS <lib>...])
function(mixwright_unit_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  mixwright_common_options(${name})
  target_link_libraries(${name} PRIVATE ${ARG_LIBS} GTest::gtest_main)
  set_target_properties(${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/test/unit)
  set_property(GLOBAL APPEND PROPERTY MIXWRIGHT_TEST_DEPENDS ${name})
endfunction()

# A page of docs/generated/, written by `ninja docs`. The pages are committed, and
# test/docs.test fails if one is not current.
#   mixwright_doc(<page> <.td file> <mlir-tblgen option>...)
function(mixwright_doc page source)
  set(target doc-${page})
  add_custom_target(${target}
    COMMAND mlir-tblgen "-I$<JOIN:${MLIR_INCLUDE_DIRS},;-I>" -I${PROJECT_SOURCE_DIR} ${ARGN}
            ${PROJECT_SOURCE_DIR}/${source} -o ${PROJECT_SOURCE_DIR}/docs/generated/${page}.md
    COMMAND_EXPAND_LISTS VERBATIM)
  if(NOT TARGET docs)
    add_custom_target(docs)
  endif()
  add_dependencies(docs ${target})
endfunction()
