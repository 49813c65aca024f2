module front
