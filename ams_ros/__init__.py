"""Action management for robots that run vision-language-action policies."""

from pkgutil import extend_path

# colcon and pip install the generated ams_ros.msg, .srv and .action beside these files; in the source tree they lie
# in another folder, and this joins the two.
__path__ = extend_path(__path__, __name__)
