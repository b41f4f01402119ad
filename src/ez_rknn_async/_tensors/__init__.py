"""Arrays, element types, shapes, layouts, quantisation and names: pure, without a device."""
